package conformance_test

import (
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
)

type timeVectors struct {
	Cases []timeCase `json:"cases"`
}

type timeCase struct {
	Name string `json:"name"`
	In   string `json:"in"`
	OK   bool   `json:"ok"`
	Out  string `json:"out,omitempty"`
}

func makeTimes() (v timeVectors) {
	good := func(name, in, out string) { v.Cases = append(v.Cases, timeCase{name, in, true, out}) }
	bad := func(name, in string) { v.Cases = append(v.Cases, timeCase{Name: name, In: in}) }
	good("UTC", "2026-11-24T08:30:00Z", "2026-11-24T08:30:00Z")
	good("small letters", "2026-11-24t08:30:00z", "2026-11-24T08:30:00Z")
	good("offset east", "2026-11-24T08:30:00+05:30", "2026-11-24T03:00:00Z")
	good("offset west over midnight", "2026-12-31T20:00:00-08:00", "2027-01-01T04:00:00Z")
	good("offset zero", "2026-11-24T08:30:00+00:00", "2026-11-24T08:30:00Z")
	good("offset minus zero", "2026-11-24T08:30:00-00:00", "2026-11-24T08:30:00Z")
	good("largest offset", "2026-11-24T23:59:00+23:59", "2026-11-24T00:00:00Z")
	good("fraction kept", "2026-11-24T08:30:00.50Z", "2026-11-24T08:30:00.50Z")
	good("fraction of zeros kept", "2026-11-24T08:30:00.000Z", "2026-11-24T08:30:00.000Z")
	good("thirty digits and an offset", "2026-11-24T08:30:00."+strings.Repeat("123", 10)+"+01:00",
		"2026-11-24T07:30:00."+strings.Repeat("123", 10)+"Z")
	good("leap day", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z")
	good("leap day by offset", "2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z")
	good("year 0000", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z")
	good("year 9999", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z")
	good("year 0001 back to 0000", "0001-01-01T00:00:00+00:01", "0000-12-31T23:59:00Z")
	bad("before year 0000 in UTC", "0000-01-01T00:00:00+00:01")
	bad("after year 9999 in UTC", "9999-12-31T23:59:59-00:01")
	bad("leap second", "2016-12-31T23:59:60Z")
	bad("second 61", "2026-11-24T08:30:61Z")
	bad("hour 24", "2026-11-24T24:00:00Z")
	bad("minute 60", "2026-11-24T08:60:00Z")
	bad("no leap day", "2026-02-29T12:00:00Z")
	bad("month 13", "2026-13-01T12:00:00Z")
	bad("day 0", "2026-11-00T12:00:00Z")
	bad("no zone", "2026-11-24T08:30:00")
	bad("space for T", "2026-11-24 08:30:00Z")
	bad("comma for point", "2026-11-24T08:30:00,5Z")
	bad("point without digits", "2026-11-24T08:30:00.Z")
	bad("offset without colon", "2026-11-24T08:30:00+0530")
	bad("offset of hours", "2026-11-24T08:30:00+05")
	bad("offset hour 24", "2026-11-24T08:30:00+24:00")
	bad("offset minute 60", "2026-11-24T08:30:00+05:60")
	bad("one digit month", "2026-1-24T08:30:00Z")
	bad("year of five digits", "12026-11-24T08:30:00Z")
	bad("negative year", "-026-11-24T08:30:00Z")
	bad("space behind", "2026-11-24T08:30:00Z ")
	bad("date alone", "2026-11-24")
	bad("basic form", "20261124T083000Z")
	bad("no seconds", "2026-11-24T08:30Z")
	bad("digits that are not ASCII", "２０26-11-24T08:30:00Z")
	bad("empty", "")
	return v
}

func TestVectorsTimes(t *testing.T) {
	v := vectors(t, "times.json", makeTimes())
	names := make([]string, len(v.Cases))
	for i, c := range v.Cases {
		names[i] = c.Name
		got, err := canonical.Time(c.In)
		if (err == nil) != c.OK || got != c.Out {
			t.Errorf("%s: CanonicalTime(%q) = %q, %v; want %q, ok %v", c.Name, c.In, got, err, c.Out, c.OK)
		}
	}
	unique(t, "times.json", names...)
}
