package odata_test

import (
	"testing"

	"leadloop/odata"
	"leadloop/store/storetest"
)

func archive(t testing.TB) *shop { return newArchive(t, "sqlite", nil) }

func directory(t testing.TB) *shop { return newPeople(t, "sqlite") }

func batches(t testing.TB) *shop { return newBatchShop(t, "sqlite", odata.Limits{}) }

func forest(t testing.TB) *shop {
	s := newForest(t, "sqlite", odata.Limits{})
	s.plant(t)
	return s
}

func orderBook(t testing.TB) *shop {
	s := newOrders(t, "sqlite", storetest.DSN(t, "sqlite"))
	s.fillOrders(t)
	return s
}

// followed is a service over documents whose changes can be followed.
func followed(t testing.TB) *shop {
	s := newLibrary(t, "sqlite", 100)
	s.Service = odata.New(s.Options)
	documents := kept(s, "Documents", "", func(*Document, bool) error { return nil })
	documents.Track = true
	odata.Add(s.Service, documents)
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	s.exec(t, "INSERT INTO documents (id, title) VALUES ('a', 'First'), ('b', 'Second'), ('c', 'Third')")
	return s
}

// apple is a product of the shop.
const apple = "/Products(00000000-0000-0000-0000-000000000001)"

var _ = example("Reading", "The service document", "GET /") &&
	example("Reading", "An entity set", "GET /Makers?$select=Name,Country&$orderby=Name desc") &&
	example("Reading", "One entity by its key", "GET /Makers(1)") &&
	example("Reading", "How many there are", "GET /Makers/$count?$filter=Active") &&
	example("Reading", "Only if it has changed", "GET /Makers(1)", "GET /Makers(1)\nIf-None-Match: {ETag}") &&
	example("Reading", "The headers alone", "HEAD /Makers(1)") &&
	example("Reading", "A query too long for a URL", "POST /Makers/$query\nContent-Type: text/plain\n\n$select=Name&$filter=Name%20in%20('Aleph','Beta')&$orderby=Name%20desc") &&
	example("Reading", "A 4.0 client", "GET /Makers(1)\nOData-MaxVersion: 4.0")

var _ = example("Addressing", "A property", "GET /Makers(1)/Name") &&
	example("Addressing", "The raw value of a property", "GET /Makers(1)/Name/$value") &&
	example("Addressing", "A property of a complex value", "GET "+apple+"/Parts") &&
	example("Addressing", "A null value", "GET /Makers(2)/Country") &&
	example("Addressing", "Related entities by navigation", "GET /Makers(1)/Products?$select=Name") &&
	example("Addressing", "References instead of entities", "GET /Makers(1)/Products/$ref", "GET "+apple+"/Maker/$ref") &&
	exampleOf(archive, "Addressing", "A key of several parts", "GET /Copies(VolumeCode='a',Number=1)", "GET /Books('a')/Copies(1)") &&
	exampleOf(archive, "Addressing", "A slash and a quote in a key", "GET /Books('it''s%2F50%25%3F')?$select=Title", "GET /Books(@code)?@code='it''s/50%25?'&$select=Title") &&
	exampleOf(archive, "Addressing", "An entity by its id", "GET /$entity?$id=Copies(VolumeCode='a',Number=1)&$select=Place") &&
	exampleOf(archive, "Addressing", "A condition in the path", "GET /Copies/$filter(@p)/$count?@p=Lent")

var _ = example("Paging", "A part, and how many there are in all", "GET /Products?$select=Name&$orderby=Stock desc&$skip=1&$top=2&$count=true") &&
	exampleOf(smallPages, "Paging", "A page, and the next one behind its link", "GET /Products?$select=Name&$orderby=Stock", "GET {nextLink}") &&
	example("Paging", "Pages of a size the client prefers", "GET /Makers?$select=Name\nPrefer: maxpagesize=2") &&
	exampleOf(smallPages, "Paging", "Pages of an expanded collection", "GET /Makers(1)?$select=Name&$expand=Products($select=Name)", "GET {Products@odata.nextLink}")

var _ = example("Expressions", "Text, numbers, null and logic", "GET /Products?$select=Name,Stock&$filter=(Stock ge 0 or Stock eq null) and not startswith(Name,'B')") &&
	example("Expressions", "Arithmetic, dates and durations", "GET /Products?$select=Name&$filter=Price mul 2 ge 3 and At add duration'P1D' lt 2026-01-03T12:00:00Z") &&
	example("Expressions", "Parts of text, and patterns", "GET /Products?$select=Name&$filter=substring(Name,-2) eq 'le' or matchesPattern(Name,'^[A-Z].*a$')") &&
	example("Expressions", "Dynamic properties of an open type", "GET /Products?$select=Name,Color&$filter=tolower(Color) eq 'red'") &&
	example("Expressions", "Collections of values", "GET /Products?$select=Name&$filter=Tags/any(t:contains(t,'an')) or Parts/all(p:p/Count lt 2)", "GET /Products?$select=Name&$filter=startswith(Tags,['tapple']) and length(Tags) eq 1") &&
	example("Expressions", "Over related entities", "GET /Products?$select=Name&$filter=Reviews/any(r:r/Stars gt 4) or Maker/Name eq 'Beta'") &&
	example("Expressions", "How many there are, of those that satisfy", "GET /Products?$select=Name&$filter=Reviews/$count($filter=Stars gt 2) gt 0&$orderby=Reviews/$count desc") &&
	exampleOf(depot, "Expressions", "Enumerations and flags", "GET /Crates?$select=Code,Grade,Traits&$filter=Grade in ('Good','Fair') and Traits has Depot.Trait'Fragile'") &&
	exampleOf(forest, "Expressions", "Structured values", `GET /Trees?$select=Name&$filter=Soil/Layer eq {"Depth":2,"Stony":true} or hassubset(Numbers,[7,3])`) &&
	example("Expressions", "Other entities of the service", "GET /Products?$select=Name,Price&$filter=Price gt $root"+apple+"/Price") &&
	example("Expressions", "Is there a related entity", "GET /Products?$select=Name&$filter=Maker eq null") &&
	example("Expressions", "A list, and a parameter alias", "GET /Products?$select=Name&$filter=Name in ('apple',@other)&@other='O''Neil'")

var _ = example("Related entities", "Expanded, each with options of its own", "GET "+apple+"?$select=Name&$expand=Maker($select=Name),Reviews($orderby=Stars;$count=true;$select=Stars)") &&
	example("Related entities", "A part of an expanded collection", "GET /Makers(1)?$select=Name&$expand=Products($filter=Stock ne @none;$orderby=Name;$top=1;$select=Name;@none=0)") &&
	exampleOf(forest, "Related entities", "Compared with the entity that was asked for", "GET /Trees(5)?$select=ID&$expand=Parent($select=ID;$expand=Children($filter=ID ne $it/ID;$select=ID))") &&
	exampleOf(forest, "Related entities", "Several levels of the same", "GET /Trees(2)?$select=Name&$expand=Children($levels=max;$select=Name)") &&
	exampleOf(forest, "Related entities", "Only references, only a number", "GET /Trees(1)?$select=Name&$expand=Children/$ref,Nests/$count") &&
	exampleOf(forest, "Related entities", "Everything related", "GET /Nests('z')?$expand=*/$ref") &&
	exampleOf(forest, "Related entities", "Parts of complex values", "GET /Trees(2)?$select=Name,Soil/Layer/Depth,Rings($filter=Width ge 1;$orderby=Year desc;$count=true;$select=Year)")

var _ = exampleOf(directory, "Search", "Words, each the beginning of one", "GET /People?$search=noa levi&$select=First,Last") &&
	exampleOf(directory, "Search", "Hebrew, and a part of a phone number", "GET /People?$search=נועה OR 4321&$select=First,Phone") &&
	exampleOf(directory, "Search", "A phrase, and what is not wanted", `GET /People?$search="נועה לוי" AND NOT early&$select=First`) &&
	exampleOf(directory, "Search", "Among related entities", "GET /Towns?$select=Name&$filter=People/$count($search=noa) gt 0&$expand=People($search=noa;$select=First)")

var _ = example("Computing and aggregating", "Computed properties", "GET /Products?$compute=Price mul 1.17 as Gross,length(Name) as Letters&$select=Name,Gross&$filter=Letters eq 5&$orderby=Gross") &&
	example("Computing and aggregating", "Totals", "GET /Products?$apply=aggregate(Price with sum as Total,Price with average as Mean,$count as Many)") &&
	example("Computing and aggregating", "Groups, and a condition on them", "GET /Products?$apply=groupby((Maker/Name),aggregate(Price with max as Dearest))&$filter=Dearest gt 1&$orderby=Dearest desc") &&
	example("Computing and aggregating", "Several steps", "GET /Products?$apply=filter(Sold)/compute(year(At) as Year)/groupby((Year),aggregate($count as Sales))/topcount(1,Sales)") &&
	example("Computing and aggregating", "The rows and their total", "GET /Products?$apply=concat(topcount(2,Price),aggregate(Price with sum as Total))&$select=Name,Price,Total")

var _ = example("Representation", "Without control information", "GET /Makers(1)\nAccept: application/json;odata.metadata=none") &&
	exampleOf(archive, "Representation", "With all control information", "GET /Copies(VolumeCode='a',Number=1)\nAccept: application/json;odata.metadata=full") &&
	exampleOf(archive, "Representation", "Large numbers as text", "GET /Books('a')?$select=Title,Pages\nAccept: application/json;IEEE754Compatible=true") &&
	exampleOf(archive, "Representation", "The format in the URL", "GET /Books('a')/Pages?$format=application/json;odata.metadata=none;IEEE754Compatible=true") &&
	exampleOf(archive, "Representation", "Without nulls", "GET /Copies(VolumeCode='a',Number=2)\nPrefer: omit-values=nulls") &&
	exampleOf(depot, "Representation", "Enumerations, flags and money", "GET /Crates('A1')?$select=Grade,Traits,Price")

var _ = example("Changing", "A new entity", "POST /Makers\n\n"+`{"Name":"Delta","Country":"DK"}`) &&
	example("Changing", "A new entity, without seeing it", "POST /Makers\nPrefer: return=minimal\n\n"+`{"Name":"Delta"}`) &&
	example("Changing", "A change, of what was read and of nothing newer", "PATCH /Makers(1)\n"+`If-Match: W/"1"`+"\n\n"+`{"Country":null}`, "PATCH /Makers(1)\n"+`If-Match: W/"1"`+"\n\n"+`{"Country":"DK"}`) &&
	exampleOf(orderBook, "Changing", "A part of what was changed", "PATCH /Orders(1)?$select=Title&$expand=Client($select=Name)\n\n"+`{"Title":"new"}`) &&
	exampleOf(orderBook, "Changing", "Replaced as a whole", "PUT /Clients(2)\n\n"+`{"Name":"Bet"}`) &&
	exampleOf(orderBook, "Changing", "Created where it is not there, changed where it is", "PUT /Labels('green')\n\n"+`{"Text":"Green"}`, "PATCH /Labels('green')\nIf-Match: {ETag}\n\n"+`{"Text":"Grün"}`) &&
	exampleOf(orderBook, "Changing", "Only if it is not there yet", "PUT /Labels('red')\nIf-None-Match: *\n\n"+`{"Text":"Red"}`) &&
	example("Changing", "A removal", "DELETE /Makers(3)\n"+`If-Match: W/"3"`) &&
	exampleOf(orderBook, "Changing", "A single property", "PUT /Orders(1)/Title\n\n"+`{"value":"new"}`, "DELETE /Orders(1)/Price") &&
	exampleOf(orderBook, "Changing", "A raw value", "PUT /Orders(1)/Title/$value\nContent-Type: text/plain\n\nnew") &&
	exampleOf(orderBook, "Changing", "A complex property in part", "PATCH /Orders(1)/Ship\nPrefer: return=representation\n\n"+`{"City":"Acre"}`) &&
	exampleOf(orderBook, "Changing", "One more in a collection of values", "POST /Orders(1)/Tags\nPrefer: return=representation\n\n"+`{"value":"urgent"}`)

var _ = exampleOf(orderBook, "Changing several entities", "A new entity and related ones", "POST /Clients\n\n"+`{"Name":"C","Account":{"IBAN":"X1"},"Orders":[{"Title":"first","Lines":[{"Text":"a"},{"Text":"b","Tag@odata.bind":"Labels('red')"}]}]}`) &&
	exampleOf(orderBook, "Changing several entities", "A new entity related to one that is there", "POST /Orders\n\n"+`{"Title":"next","Client@odata.bind":"Clients(2)"}`, "POST /Clients(2)/Orders\n\n"+`{"Title":"next"}`) &&
	exampleOf(orderBook, "Changing several entities", "A change of related entities too", "PATCH /Orders(1)\n\n"+`{"Title":"T","Lines@delta":[{"@removed":{"reason":"deleted"},"@id":"Lines(2)"},{"ID":1,"Text":"L1"},{"Text":"new"}]}`) &&
	exampleOf(orderBook, "Changing several entities", "References added and removed", "POST /Clients(2)/Orders/$ref\n\n"+`{"@odata.id":"Orders(1)"}`, "DELETE /Clients(2)/Orders(1)/$ref", "DELETE /Clients(2)/Orders/$ref?$id=Orders(3)") &&
	exampleOf(orderBook, "Changing several entities", "The reference to a single entity", "PUT /Orders(1)/Client/$ref\n\n"+`{"@odata.id":"Clients(2)"}`, "DELETE /Orders(1)/Client/$ref") &&
	exampleOf(orderBook, "Changing several entities", "Changes of an entity set", "PATCH /Labels\n\n"+`{"@context":"#$delta","value":[{"Code":"new","Text":"N"},{"@removed":{"reason":"deleted"},"@id":"Labels('red')","@etag":"W/\"1\""}]}`) &&
	exampleOf(orderBook, "Changing several entities", "Each entity that satisfies a condition", "PATCH /Orders/$filter(Count eq 1)/$each\n\n"+`{"Title":"small"}`, "DELETE /Orders/$filter(Title eq 'small')/$each")

// once are the headers of a repeatable request.
const once = "\nRepeatability-Request-ID: 112a3a3e-f94c-4f56-b49b-5aab3d97e5b7\nRepeatability-First-Sent: Sun, 01 Mar 2026 11:58:00 GMT"

var _ = exampleOf(orderBook, "Repeatable requests", "Sent twice, carried out once", "POST /Clients"+once+"\n\n"+`{"Name":"C"}`, "POST /Clients"+once+"\n\n"+`{"Name":"C"}`, "GET /Clients/$count") &&
	exampleOf(orderBook, "Repeatable requests", "Another request under the same id", "POST /Clients"+once+"\n\n"+`{"Name":"C"}`, "POST /Clients"+once+"\n\n"+`{"Name":"D"}`)

var _ = exampleOf(batches, "Batches", "A batch in JSON", "POST /$batch\n\n"+`{"requests":[
	{"id":"1","atomicityGroup":"g","method":"post","url":"Makers","body":{"Name":"Delta"}},
	{"id":"2","atomicityGroup":"g","method":"patch","url":"$1","headers":{"prefer":"return=minimal"},"body":{"Country":"DK"}},
	{"id":"3","dependsOn":["g"],"method":"get","url":"$1?$select=Name,Country"}]}`) &&
	exampleOf(batches, "Batches", "A batch in multipart", "POST /$batch\nContent-Type: multipart/mixed; boundary=b\n\n"+mixed(
		"GET Makers(1)?$select=Name",
		[]string{"1|POST Makers\nContent-Type: application/json\nPrefer: return=minimal\n\n{\"Name\":\"Delta\"}", "2|DELETE Makers(3)"},
	)) &&
	exampleOf(batches, "Batches", "A group of which one request fails", "POST /$batch\n\n"+`{"requests":[
	{"id":"1","atomicityGroup":"g","method":"post","url":"Makers","body":{"Name":"Delta"}},
	{"id":"2","atomicityGroup":"g","method":"delete","url":"Makers(77)"},
	{"id":"3","method":"get","url":"Makers/$count"}]}`)

var _ = exampleOf(followed, "Following changes", "A delta link and what it leads to",
	"GET /Documents\nPrefer: track-changes", "PATCH /Documents('a')\n\n"+`{"Title":"First, revised"}`, "DELETE /Documents('b')", "GET {deltaLink}", "GET {deltaLink}") &&
	exampleOf(followed, "Following changes", "For a 4.0 client", "GET /Documents?$filter=Title ne 'Third'\nPrefer: odata.track-changes\nOData-MaxVersion: 4.0", "DELETE /Documents('b')", "GET {deltaLink}\nOData-MaxVersion: 4.0")

var _ = exampleOf(depot, "Actions and functions", "A function bound to an entity", "GET /Crates('A1')/Volume(Factor=2.5)") &&
	exampleOf(depot, "Actions and functions", "Parameters as query options", "GET /Crates('A1')/Volume?Factor=2.5") &&
	exampleOf(depot, "Actions and functions", "A function without parameters", "GET /Colors") &&
	exampleOf(depot, "Actions and functions", "A function with JSON as a parameter", `GET /Largest(Sizes=@s)?@s=[{"Width":2},{"Width":5}]`) &&
	exampleOf(depot, "Actions and functions", "A function bound to an entity set", "GET /Crates/Heaviest(Top=1)") &&
	example("Actions and functions", "An action bound to an entity", "POST /Makers(1)/Rename\n\n"+`{"Name":"Omega"}`) &&
	exampleOf(depot, "Actions and functions", "An action bound to an entity set", "POST /Crates/Sweep") &&
	exampleOf(depot, "Actions and functions", "An action by itself", "POST /Close\n\n"+`{"At":"2026-03-01T12:00:00Z"}`)

var _ = example("Metadata", "CSDL XML", "GET /$metadata") &&
	example("Metadata", "CSDL XML for a 4.0 client, which has it already", "GET /$metadata\nOData-MaxVersion: 4.0", "GET /$metadata\nOData-MaxVersion: 4.0\nIf-None-Match: {ETag}") &&
	example("Metadata", "CSDL JSON", "GET /$metadata?$format=json") &&
	example("Metadata", "OpenAPI", "GET /openapi.json")

var _ = example("Errors", "A mistake in an expression, with its position", "GET /Products?$filter=Stock gt 'many'") &&
	example("Errors", "A mistake in a body, with its target", "POST /Products\n\n"+`{"Name":"pear","Parts":[{"Labl":"x"}]}`) &&
	example("Errors", "Nothing there, or nothing for you", "GET /Makers(77)") &&
	example("Errors", "A method that does not apply", "POST /Reviews\n\n{}") &&
	example("Errors", "A format that is not served", "GET /Makers\nAccept: application/xml") &&
	example("Errors", "A change without the ETag that it needs", "PATCH /Makers(1)\n"+`If-Match: W/"0"`+"\n\n"+`{"Name":"x"}`) &&
	exampleOf(forest, "Errors", "Too much, with the limit's name", "GET /Trees(1)?$expand=Children($levels=9)") &&
	example("Errors", "Not served", "GET /$crossjoin(Makers,Products)") &&
	example("Errors", "Not served asynchronously", "GET /Makers\nPrefer: respond-async")
