package httpsink

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// answerError is an answer that does not acknowledge a request.
type answerError struct {
	status int
	why    string
}

func (e *answerError) Error() string { return e.why }

// maxAnswer is how much of an answer is read. What a receiver says of 256 events is far shorter.
const maxAnswer = 4 << 20

// judge reads an answer and returns why it does not acknowledge what was sent: its status is not
// 2xx, or it is and the body says otherwise. hide takes out of a text what the receiver may repeat
// of the request's secrets.
func judge(res *http.Response, hide func(string) string) error {
	refuse := func(format string, args ...any) error {
		return &answerError{res.StatusCode, res.Status + ": " + fmt.Sprintf(format, args...)}
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		why, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
		if to, err := url.Parse(res.Header.Get("Location")); err == nil && res.StatusCode/100 == 3 {
			place := "another path" // the rest of a URL may be secret
			if to.Host != "" {
				place = to.Scheme + "://" + to.Host
			}
			return refuse("redirects are not followed; this one leads to %s", place)
		}
		return refuse("%q", hide(string(why)))
	}
	answer := bufio.NewReader(res.Body)
	if !beginsJSON(answer) {
		text, _ := io.ReadAll(io.LimitReader(answer, 64<<10))
		if res.StatusCode == http.StatusMultiStatus {
			return refuse("%q", hide(string(text[:min(len(text), 200)])))
		}
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(answer, maxAnswer+1))
	if err != nil {
		return refuse("the answer was cut off: %v", err)
	}
	if len(body) > maxAnswer {
		return refuse("the answer is longer than %d bytes", maxAnswer)
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	if member := complaint(v, 0); member != "" {
		return refuse("the answer says that something was refused (%s): %q", member, hide(string(body[:min(len(body), 200)])))
	}
	return nil
}

// beginsJSON looks whether a text may be a JSON object or array.
func beginsJSON(r *bufio.Reader) bool {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return false
		}
		if !strings.ContainsRune(" \t\r\n", rune(b)) {
			r.UnreadByte()
			return b == '{' || b == '['
		}
	}
}

// complaint names the member by which a JSON answer says that something was refused; "" for none.
// It knows what common receivers write: error, errors; success or ok that is false; status that is
// an error; counts of what was rejected or failed. It looks into lists of results, and not into
// events that were sent back.
func complaint(v any, depth int) string {
	if depth > 4 {
		return ""
	}
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			if member := complaint(one, depth+1); member != "" {
				return member
			}
		}
	case map[string]any:
		if v["specversion"] != nil || v["sealindex"] != nil {
			return ""
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if complains(name, v[name], depth) {
				return name
			}
		}
	}
	return ""
}

func complains(name string, value any, depth int) bool {
	switch strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name)) {
	case "error",
		"errors",
		"haserrors",
		"errorcode",
		"errormessage",
		"fault",
		"exception",
		"rejected",
		"refused",
		"failed",
		"failures",
		"failedcount",
		"failedrecordcount",
		"failedputcount",
		"failedentrycount",
		"errorcount",
		"rejectedcount",
		"rejectedlogrecords",
		"rejectedspans",
		"rejecteddatapoints":
		return says(value)
	case "success", "ok":
		text := strings.ToLower(fmt.Sprint(value))
		return text == "false" || text == "0" || text == "no"
	case "status", "state", "result":
		if text, ok := value.(string); ok {
			switch strings.ToLower(text) {
			case "error", "fail", "failed", "failure", "rejected", "refused", "nack":
				return true
			}
		}
		return isFailure(value)
	case "code", "statuscode":
		return isFailure(value)
	case "partialsuccess", "receipts", "results", "responses", "items", "offsets", "entries":
		return complaint(value, depth+1) != ""
	}
	return false
}

// says tells whether a value is more than nothing, no, or zero.
func says(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case json.Number:
		f, err := v.Float64()
		return err != nil || f != 0
	case string:
		switch strings.ToLower(v) {
		case "", "0", "false", "none", "null", "ok":
			return false
		}
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// isFailure tells whether a value is an HTTP status of 400 or more.
func isFailure(value any) bool {
	n, err := strconv.Atoi(fmt.Sprint(value))
	return err == nil && n >= 400 && n < 600
}
