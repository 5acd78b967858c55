package odata

import (
	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// features are what the engine does as a whole, for the capabilities it
// announces; what its tables of options and functions tell is asked there.
var features = struct {
	conformance string // "Minimal", "Intermediate" or "Advanced"; "" says nothing
	batch       []string
	deepInsert  bool
	deepUpdate  bool
	upsert      bool
}{
	batch: []string{"multipart/mixed", "application/json"}, deepInsert: true, deepUpdate: true, upsert: true,
}

// announce says what the service as a whole can do (the Capabilities
// vocabulary), so that clients need not try.
func (s *Service) announce() []edm.Annotation {
	a := func(term string, value any) edm.Annotation { return edm.Annotation{Term: term, Value: value} }
	list := []edm.Annotation{a("Core.ODataVersions", "4.0 4.01")}
	if features.conformance != "" {
		list = append(list, a("Capabilities.ConformanceLevel", edm.EnumMember{Type: "Capabilities.ConformanceLevelType", Name: features.conformance}))
	}
	return append(list,
		a("Capabilities.AcceptableEncodings", texts([]string{"gzip"})),
		a("Core.ConventionalIDs", true),
		a("Core.DereferenceableIDs", true),
		a("Capabilities.SupportedFormats", texts(formats())),
		a("Capabilities.SupportedMetadataFormats", texts([]string{"application/xml", "application/json"})),
		a("Capabilities.KeyAsSegmentSupported", false),
		a("Capabilities.QuerySegmentSupported", true),
		a("Capabilities.AsynchronousRequestsSupported", false),
		a("Capabilities.CrossJoinSupported", false),
		a("Capabilities.AnnotationValuesInQuerySupported", false),
		a("Capabilities.BatchSupported", len(features.batch) > 0),
		a("Capabilities.BatchSupport", batchSupport()),
		a("Capabilities.FilterFunctions", texts(plan.FunctionNames())),
	)
}

func batchSupport() edm.Record {
	on := len(features.batch) > 0
	if !on {
		return edm.Record{{Name: "Supported", Value: false}}
	}
	return edm.Record{
		{Name: "Supported", Value: true},
		{Name: "ContinueOnErrorSupported", Value: true},
		{Name: "ReferencesInRequestBodiesSupported", Value: true},
		{Name: "ReferencesAcrossChangeSetsSupported", Value: true},
		{Name: "EtagReferencesSupported", Value: true},
		{Name: "SupportedFormats", Value: texts(features.batch)},
	}
}

// formats are the media types that data comes in.
func formats() []string {
	var list []string
	for _, metadata := range []string{"minimal", "none", "full"} {
		for _, strings := range []bool{false, true} {
			list = append(list, format{metadata: metadata, strings: strings}.contentType())
		}
	}
	return list
}

// announceSet says what an entity set can do.
func (s *Service) announceSet(x *set) []edm.Annotation {
	var list []edm.Annotation
	say := func(term string, value any) { list = append(list, edm.Annotation{Term: term, Value: value}) }
	if x.description != "" {
		say("Core.Description", x.description)
	}
	if x.Type.ETag != nil {
		say("Core.OptimisticConcurrency", []any{edm.PropertyPath(x.Type.ETag.Name)})
	}
	say("Capabilities.IndexableByKey", true)
	say("Capabilities.TopSupported", true)
	say("Capabilities.SkipSupported", true)
	say("Capabilities.ComputeSupported", uri.Served("$compute"))
	say("Capabilities.SelectSupport", edm.Record{
		{Name: "Supported", Value: true},
		{Name: "Countable", Value: true},
		{Name: "Filterable", Value: true},
		{Name: "TopSupported", Value: true},
		{Name: "SkipSupported", Value: true},
		{Name: "Sortable", Value: true},
	})
	say("Capabilities.CountRestrictions", edm.Record{{Name: "Countable", Value: true}})
	say("Capabilities.FilterRestrictions", edm.Record{{Name: "Filterable", Value: true}})
	say("Capabilities.SortRestrictions", edm.Record{{Name: "Sortable", Value: true}})
	say("Capabilities.ExpandRestrictions", edm.Record{{Name: "Expandable", Value: true}, {Name: "MaxLevels", Value: s.Limits.ExpandDepth}})
	say("Capabilities.SearchRestrictions", edm.Record{{Name: "Searchable", Value: len(x.Type.Search) > 0}})
	say("Capabilities.InsertRestrictions", edm.Record{{Name: "Insertable", Value: x.Insertable}})
	say("Capabilities.DeepInsertSupport", edm.Record{{Name: "Supported", Value: features.deepInsert && x.Insertable}})
	say("Capabilities.UpdateRestrictions", edm.Record{
		{Name: "Updatable", Value: x.Updatable}, {Name: "Upsertable", Value: x.upsert},
	})
	say("Capabilities.DeepUpdateSupport", edm.Record{{Name: "Supported", Value: features.deepUpdate && x.Updatable}})
	say("Capabilities.DeleteRestrictions", edm.Record{{Name: "Deletable", Value: x.Deletable}})
	say("Capabilities.ChangeTracking", edm.Record{{Name: "Supported", Value: x.tracked}})
	return list
}

// texts is a list of texts as the value of an annotation.
func texts(list []string) []any {
	values := make([]any, len(list))
	for i, text := range list {
		values[i] = text
	}
	return values
}
