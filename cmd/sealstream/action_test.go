package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestAction runs the steps of the compliance action as a runner does, with true and false for the
// program: a no fails the job, and so does a key that was not set, for the server and the machine
// of the build must not name their own.
func TestAction(t *testing.T) {
	text, err := os.ReadFile("../../.github/actions/compliance/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Runs struct {
			Steps []struct {
				Name, Run string
				Env       map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &action); err != nil {
		t.Fatal(err)
	}
	required := []string{"MANIFEST_KEY", "LOG_KEY", "SEALSTREAM_SERVER"}
	for _, step := range action.Runs.Steps {
		if step.Run == "" {
			continue
		}
		passes := func(program, empty string) bool {
			c := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
			c.Dir = t.TempDir()
			c.Env = []string{"PATH=" + os.Getenv("PATH")}
			for name := range step.Env {
				value := "x"
				switch name {
				case empty:
					value = ""
				case "SEALSTREAM":
					value = program
				}
				c.Env = append(c.Env, name+"="+value)
			}
			return c.Run() == nil
		}
		if !passes("true", "") || passes("false", "") {
			t.Errorf("%s: the exit status is not that of the program", step.Name)
		}
		for _, name := range required {
			if _, used := step.Env[name]; used && passes("true", name) {
				t.Errorf("%s passes without %s", step.Name, name)
			}
		}
		// in the checkout it would be an added source file
		if !strings.Contains(step.Run, "ARTEFACTS") || !strings.Contains(step.Env["ARTEFACTS"], "runner.temp") {
			t.Errorf("%s leaves nothing to upload, or leaves it in the checkout", step.Name)
		}
	}
}
