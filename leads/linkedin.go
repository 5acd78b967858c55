package leads

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leadloop/odata/fault"
)

const (
	linkedInSignature = "X-LI-Signature"
	linkedInPrefix    = "hmacsha256="
)

// linkedIn reads a delivery of linkedin and checks its signature by the client
// secret.
func (s *Service) linkedIn(src *Source, d Delivery) ([][]field, error) {
	secret, err := s.secretOf(src)
	if err != nil {
		return nil, err
	}
	given := d.Header.Get(linkedInSignature)
	if err := checkSigned(src, linkedInSignature, given, secret, linkedInSigned(secret, given, d.Body)); err != nil {
		return nil, err
	}
	return parseLinkedIn(d.Body)
}

// linkedInSigned reports whether given is the signature of body, which is made
// with the prefix before it.
func linkedInSigned(secret, given string, body []byte) bool {
	mac, err := hex.DecodeString(strings.TrimPrefix(given, linkedInPrefix))
	return err == nil && hmac.Equal(mac, sign(secret, linkedInPrefix, string(body)))
}

// linkedInChallenge answers LinkedIn's check of the address.
func (s *Service) linkedInChallenge(src *Source, code string) (*Verification, error) {
	secret, err := s.secretOf(src)
	if err != nil {
		return nil, err
	}
	if secret == "" {
		return nil, fault.New(fault.Invalid, "the challenge cannot be answered: the source has no client secret as its Secret").At("challengeCode")
	}
	body, err := json.Marshal(struct {
		Code     string `json:"challengeCode"`
		Response string `json:"challengeResponse"`
	}{code, hex.EncodeToString(sign(secret, code))})
	return &Verification{ContentType: "application/json", Body: body}, err
}

// parseLinkedIn reads form responses of LinkedIn, one or a list of them. The id
// goes to ExternalID, testLead to IsTest; an answer's field is called by its
// questionId; everything else keeps its name.
func parseLinkedIn(body []byte) ([][]field, error) {
	leads, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	for i := range leads {
		lead, err := linkedInLead(leads[i])
		if err != nil && len(leads) > 1 {
			err = inLead(i, err)
		}
		if err != nil {
			return nil, err
		}
		leads[i] = lead
	}
	return leads, nil
}

const inFormResponse = "formResponse."

func linkedInLead(given []field) ([]field, error) {
	var fields, answers []field
	found := false
	for _, f := range given {
		name, inside := strings.CutPrefix(f.name, inFormResponse)
		switch {
		case name == "answers" && inside:
			var err error
			if answers, err = linkedInAnswers(f.value); err != nil {
				return nil, err
			}
			found = true
		case f.name == "id":
			fields = append(fields, renamed("ExternalID", f.value, f.name))
		case f.name == "testLead":
			fields = append(fields, renamed(toIsTest, f.value, f.name))
		case inside:
			fields = append(fields, renamed(name, f.value, f.name))
		default:
			fields = append(fields, f)
		}
	}
	if !found {
		return nil, fault.New(fault.Invalid, "formResponse.answers is missing").At("formResponse.answers")
	}
	return slices.Concat(fields, answers), nil
}

func linkedInAnswers(v any) ([]field, error) {
	const at = "formResponse.answers"
	list, ok := v.([]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "answers must be a list").At(at)
	}
	fields := make([]field, 0, len(list))
	for i, item := range list {
		given, ok := item.(map[string]any)
		if !ok {
			return nil, fault.New(fault.Invalid, "an answer must be an object").At(fmt.Sprintf("%s[%d]", at, i))
		}
		id, ok := textOf(given["questionId"])
		if !ok || id == "" {
			return nil, fault.New(fault.Invalid, "the answer has no questionId").At(fmt.Sprintf("%s[%d].questionId", at, i))
		}
		details, _ := given["answerDetails"].(map[string]any)
		fields = append(fields, field{name: id, value: linkedInValue(details)})
	}
	return fields, nil
}

// linkedInValue gives a text, or what was chosen of several.
func linkedInValue(details map[string]any) any {
	if text, ok := details["textQuestionAnswer"].(map[string]any); ok {
		return text["answer"]
	}
	if choice, ok := details["multipleChoiceAnswer"].(map[string]any); ok {
		if text, ok := listed(choice["options"]); ok {
			return text
		}
		return choice["options"]
	}
	if len(details) == 0 {
		return nil
	}
	return []any{details} // of a kind that is not known yet
}
