package ruleset

import "testing"

func TestTypesMapBothWays(t *testing.T) {
	for ce, et := range toEventType {
		if EventType(ce) != et || CloudEventType(et) != ce {
			t.Errorf("%s: %s, %s", ce, EventType(ce), CloudEventType(et))
		}
	}
	if len(toEventType) != 9 || len(toCloudEventType) != 9 {
		t.Error("the table of SPEC 3.3 has nine rows, each with its own event type")
	}
	for ce, et := range map[string]string{
		"ai.agentmesh.rogue_detection": "rogue_detection", "ai.agentmesh.": "ai.agentmesh.", "x": "x",
		"AI.AGENTMESH.x": "AI.AGENTMESH.x", "ai.agentmesh.tool.invoked.x": "tool.invoked.x",
	} {
		if EventType(ce) != et {
			t.Errorf("%s: %s, want %s", ce, EventType(ce), et)
		}
	}
	if CloudEventType("rogue_detection") != "ai.agentmesh.rogue_detection" {
		t.Error(CloudEventType("rogue_detection"))
	}
}

func TestIsJSON(t *testing.T) {
	for s, want := range map[string]bool{"": true, "application/json": true, "Application/JSON ; charset=x": true,
		"text/json": true, "application/cloudevents+json": true, "image/svg+JSON": true,
		"text/plain": false, "application/jsonx": false, "application/json-seq": false, "json": false, "+json": true, "text/plain; a=application/json": false, "; x": true} {
		if IsJSON(s) != want {
			t.Errorf("IsJSON(%q) = %v", s, !want)
		}
	}
}
