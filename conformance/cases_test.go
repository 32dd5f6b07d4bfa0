package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// casesOfTheToolkit are the 60 things that users of the agent-governance-toolkit rely on, or have
// asked for, or were hurt by. Each has the tests that show it, or a line that says why there is
// none. A test is a package and a function, or a script; each names its number.
var casesOfTheToolkit = []struct {
	number int
	what   string
	tests  []string
	why    string // there is no test, or a part has none
}{
	{1, "one event has an id, a hash of 64 digits and a time in UTC", outside, ""},
	{2, "entries are found by agent and by type", outside, ""},
	{3, "the first entry follows the beginning, each other the one before it; 100 verify", outside, ""},
	{4, "the proof in a tree of one exists and verifies", outside, ""},
	{5, "an export has all entries and a root", outside, ""},
	{6, "each append changes the root", outside, ""},
	{7, "a log on which nothing was recorded verifies, and has a root", outside, ""},
	{8, "data that was altered is found, with its index", outside, ""},
	{9, "two entries that were swapped are found", []string{"node.TestCasesOfTheToolkit", "agt.TestTrailChain"}, ""},
	{10, "an entry that was taken out is found", []string{"node.TestCasesOfTheToolkit", "agt.TestTrailChain"}, ""},
	{11, "a link that was overwritten is found", []string{"node.TestCasesOfTheToolkit", "agt.TestTrailChain"}, ""},
	{12, "a hash of another length is refused without a panic", outside, ""},
	{13, "what retention leaves verifies, and what it has put aside is checked", []string{"archive.TestThrough", "archive.TestDamage"}, ""},
	{14, "another key does not verify", outside, ""},
	{15, "a log that is not there is an error", []string{"cmd/sealstream/testdata/wrong.txtar"}, ""},
	{16, "a log that is opened again goes on in its chain", outside, ""},
	{17, "rotation loses nothing: 50 writes at a tiny size are 50 entries", []string{"sinks/file.TestTinyRotation"}, ""},
	{18, "a batch keeps its order and is acknowledged as one; an empty one is nothing", []string{"node.TestToolkitBatch"}, ""},
	{19, "absent resource, null and nested data come back as they were", outside, ""},
	{20, "any Unicode is kept, and has the same hash in every language", outside, ""},
	{21, "eight threads at once: every entry, one chain, every proof", outside, ""},
	{22, "who alters a returned entry alters nothing in the log", outside, ""},
	{23, "filters alone, together, none, and without a match", outside, ""},
	{24, "both ends of a time range are in it", outside, "A range that ends before it begins is refused with 400, not answered with nothing."},
	{25, "100 entries if no limit is given; 0 is never all of them", []string{"node.TestCasesOfTheToolkit", "node.TestToolkitBatch", "node.TestToolkitRefuses"}, ""},
	{26, "two logs do not see each other", outside, ""},
	{27, "what was recorded is there after a restart, and verified", outside, ""},
	{28, "the CloudEvents types", []string{"node.TestCasesOfTheToolkit", "agt.TestVectorsCloudEventTypes"}, ""},
	{29, "optional attributes are there if they were set, and only then", outside, ""},
	{30, "an exported time is one of RFC 3339", outside, ""},
	{31, "data cannot shadow what was decided", []string{"node.TestCasesOfTheToolkit", "agt.TestOverwrittenFields", "cmd/sealstream/testdata/importagt.txtar"}, ""},
	{32, "decision, trace, approver and arguments are under the hash", outside, ""},
	{33, "a tail that was cut off is found against a checkpoint", outside, ""},
	{34, "a log that was written anew needs the key's signature", outside, ""},
	{35, "inner nodes, zeros and empty proofs prove no entry", outside, ""},
	{36, "a proof is checked with root and key alone, and holds for one index", outside, ""},
	{37, "an older root is proved to be the newer one's beginning, or is not", outside, ""},
	{38, "an independent program computes the same root, for every size up to 300", outside, ""},
	{39, "secrets are masked before they are stored", []string{"node.TestSecretsAreStripped", "redact.TestSecrets"}, ""},
	{40, "what was acknowledged outlives kill -9", []string{"node.TestKill"}, ""},
	{41, "several writers make one order", []string{"sealer.TestSealersRace"}, ""},
	{42, "what cannot be stored is not acknowledged, and later stored once", []string{"client.TestNATSAway"}, ""},
	{43, "an agent cannot speak for another", []string{"ingest.TestRequestTokens"}, "This holds for the agent's own subject; an agent's signature is kept, and not looked at."},
	{44, "an export of 10,050 entries has 10,050", outside, ""},
	{45, "a trace and a session across agents, in order", outside, ""},
	{46, "the sink to standard output: a line an entry, sorted, written at once", []string{"sinks/stdout.TestStdout"}, ""},
	{47, "context out of the environment is taken at the start", nil, "Nothing is taken out of the environment: sandbox, environment and compute driver come with the event, as its attributes."},
	{48, "the collector's five routes, and event_type is kept", []string{"node.TestToolkitCollector"}, ""},
	{49, "wrong times and parameters are refused, and an empty page is a page", []string{"node.TestCasesOfTheToolkit", "node.TestToolkitRefuses"}, ""},
	{50, "the control check: JSON, badge, exit status", []string{"compliance.TestAllPass", "compliance.TestDeclaredAlone", evidence}, ""},
	{51, "the control check: coverage and colours", []string{"compliance.TestCoverageAndBadge"}, ""},
	{52, "the attestation changes with what it attests, and verifies under a key", []string{"compliance.TestAttestation"}, ""},
	{53, "the evidence: each thing that is missing fails", []string{"compliance.TestFramework"}, "Evidence is entries of the log here, not files: what can be missing stands in frameworks."},
	{54, "failures that are allowed are told", []string{evidence}, "No flag allows failures; one that asks for it is refused."},
	{55, "the integrity manifest", []string{"integrity.TestManifest", evidence}, ""},
	{56, "errors tell nothing of the inside", []string{evidence}, ""},
	{57, "the toolkit's trail is read, checked and imported, and what is unsigned is flagged",
		[]string{"agt.TestTrailOfTheToolkit", "agt.TestUnsignedFields", "cmd/sealstream/testdata/importagt.txtar"}, ""},
	{58, "no separator makes two entries one", outside, ""},
	{59, "every event that is submitted has its receipt; none is dropped", []string{"ingest.TestManyProducers"}, ""},
	{60, "a million entries: appends and proofs stay fast", []string{"query.BenchmarkMillion", "proof.BenchmarkInclusionOfAMillion", "bench.TestGrowth"}, "The million itself is measured on demand."},
}

// outside: the cases that look at a log over its API.
var outside = []string{"node.TestCasesOfTheToolkit"}

// evidence is the script of the verbs that show what the log proves.
const evidence = "cmd/sealstream/testdata/compliance.txtar"

// TestCasesAreThere: no number is missing, and each test that is named exists and names the number.
func TestCasesAreThere(t *testing.T) {
	for i, c := range casesOfTheToolkit {
		if c.number != i+1 {
			t.Fatalf("case %d stands in the place of %d", c.number, i+1)
		}
		if c.what == "" || len(c.tests) == 0 && c.why == "" {
			t.Errorf("case %d has neither a test nor a reason", c.number)
		}
		for _, name := range c.tests {
			text := textOfTest(t, name)
			if text == "" {
				t.Errorf("case %d: there is no %s", c.number, name)
			} else if !namesCase(text, c.number) {
				t.Errorf("case %d: %s does not name it", c.number, name)
			}
		}
	}
	if n := len(casesOfTheToolkit); n != 60 {
		t.Errorf("%d cases", n)
	}
}

var caseNumbers = regexp.MustCompile(`\b[Cc]ases? ((\d+)((,| and|, and) \d+)*)|"(\d\d) `)

// namesCase says whether a text has "case 7", "cases 5 and 7", or a subtest of the name "07 …".
func namesCase(text string, number int) bool {
	for _, m := range caseNumbers.FindAllStringSubmatch(text, -1) {
		for _, n := range regexp.MustCompile(`\d+`).FindAllString(m[1]+" "+m[5], -1) {
			if got, err := strconv.Atoi(n); err == nil && got == number {
				return true
			}
		}
	}
	return false
}

// textOfTest is a test's comment and source, or a script; "": there is none.
func textOfTest(t *testing.T, name string) string {
	t.Helper()
	if strings.HasSuffix(name, ".txtar") {
		b, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			return ""
		}
		return string(b)
	}
	folder, function, _ := strings.Cut(name, ".")
	var files []string
	for _, pattern := range []string{
		"../pkg/" + folder, "../internal/" + folder, "../internal/store/" + folder, "../internal/sinks/" + folder,
		"../cmd/" + folder, "../pkg/sink/" + folder,
	} {
		found, err := filepath.Glob(filepath.Join(pattern, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, path := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == function {
				return f.Doc.Text() + string(source[set.Position(f.Pos()).Offset:set.Position(f.End()).Offset])
			}
		}
	}
	return ""
}
