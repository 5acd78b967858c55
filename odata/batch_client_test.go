package odata_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Batches in the shape in which clients in the field send them.

// ui5 is how SAP UI5's OData V4 model writes: headers without a space behind the
// colon, requests without bodies that have a content type, a name of its own
// after the closing boundary.
const ui5 = `--batch_id-1767225600000-19
Content-Type:application/http
Content-Transfer-Encoding:binary

GET Makers?$count=true&$orderby=Name&$skip=0&$top=2 HTTP/1.1
Accept:application/json;odata.metadata=minimal;IEEE754Compatible=false
Accept-Language:he
X-CSRF-Token:Fetch
Content-Type:application/json;charset=UTF-8;IEEE754Compatible=false


--batch_id-1767225600000-19
Content-Type: multipart/mixed;boundary=changeset_id-1767225600000-20

--changeset_id-1767225600000-20
Content-Type:application/http
Content-Transfer-Encoding:binary
Content-ID:0.0

POST Makers HTTP/1.1
Accept:application/json;odata.metadata=minimal;IEEE754Compatible=false
Accept-Language:he
Content-Type:application/json;charset=UTF-8;IEEE754Compatible=false

{"Name":"יצרן"}
--changeset_id-1767225600000-20
Content-Type:application/http
Content-Transfer-Encoding:binary
Content-ID:1.0

PATCH Makers(2) HTTP/1.1
Accept:application/json;odata.metadata=minimal;IEEE754Compatible=false
If-Match:W/"1"
Content-Type:application/json;charset=UTF-8;IEEE754Compatible=false

{"Country":"CY"}
--changeset_id-1767225600000-20
Content-Type:application/http
Content-Transfer-Encoding:binary
Content-ID:2.0

POST $0.0/Shop.Rename HTTP/1.1
Accept:application/json;odata.metadata=minimal;IEEE754Compatible=false
Content-Type:application/json;charset=UTF-8;IEEE754Compatible=false

{"Name":"יצרן חדש"}
--changeset_id-1767225600000-20--
--batch_id-1767225600000-19
Content-Type:application/http
Content-Transfer-Encoding:binary

GET Makers(2)?$select=Country,ID,Name,Version HTTP/1.1
Accept:application/json;odata.metadata=minimal;IEEE754Compatible=false
Content-Type:application/json;charset=UTF-8;IEEE754Compatible=false


--batch_id-1767225600000-19--
Group ID: $auto`

// dotnet is how Microsoft's OData client for .NET writes: absolute URLs, and the
// version in each request.
const dotnet = `--batch_b98a3fe8-1f44-4b1d-a1b7-1a4d8e9b2c33
Content-Type: multipart/mixed; boundary=changeset_0b3a4ad6-9d6f-4b42-a3b9-5e2ed3bb1f1b

--changeset_0b3a4ad6-9d6f-4b42-a3b9-5e2ed3bb1f1b
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 3

POST http://shop.test/shop/Makers HTTP/1.1
OData-Version: 4.0
OData-MaxVersion: 4.0
Content-Type: application/json;odata.metadata=minimal
Accept: application/json;odata.metadata=minimal
Accept-Charset: UTF-8
User-Agent: Microsoft.OData.Client/7.20.0

{"@odata.type":"#Shop.Maker","Active":true,"Country":"DK","Name":"Epsilon"}
--changeset_0b3a4ad6-9d6f-4b42-a3b9-5e2ed3bb1f1b
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 4

DELETE http://shop.test/shop/Makers(3) HTTP/1.1
OData-Version: 4.0
OData-MaxVersion: 4.0
Accept: application/json;odata.metadata=minimal
Accept-Charset: UTF-8
If-Match: W/"3"
User-Agent: Microsoft.OData.Client/7.20.0


--changeset_0b3a4ad6-9d6f-4b42-a3b9-5e2ed3bb1f1b--
--batch_b98a3fe8-1f44-4b1d-a1b7-1a4d8e9b2c33
Content-Type: application/http
Content-Transfer-Encoding: binary

GET http://shop.test/shop/Makers?$filter=Name%20eq%20'Epsilon' HTTP/1.1
OData-Version: 4.0
OData-MaxVersion: 4.0
Accept: application/json;odata.metadata=minimal
Accept-Charset: UTF-8
User-Agent: Microsoft.OData.Client/7.20.0

--batch_b98a3fe8-1f44-4b1d-a1b7-1a4d8e9b2c33--
`

func TestBatchesOfClients(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		a := s.do(t, t.Context(), "POST /$batch", crlf(ui5), "Content-Type: multipart/mixed; boundary=batch_id-1767225600000-19",
			"Accept: multipart/mixed", "MIME-Version: 1.0", "OData-Version: 4.0", "OData-MaxVersion: 4.0")
		parts := a.parts(t)
		want := "200 2 rows\n0.0 201 in set1 4 יצרן\n1.0 200 in set1 2 Beta\n2.0 200 in set1 4 יצרן חדש\n200 2 Beta"
		if diff := cmp.Diff(want, briefs(parts)); diff != "" || parts[0].header.Get("OData-Version") != "4.0" {
			t.Errorf("UI5: %s\n%s", diff, a.body)
		}
		a = s.do(t, t.Context(), "POST /$batch", crlf(dotnet), "Content-Type: multipart/mixed; boundary=batch_b98a3fe8-1f44-4b1d-a1b7-1a4d8e9b2c33",
			"Accept: multipart/mixed", "OData-Version: 4.0", "OData-MaxVersion: 4.0")
		want = "3 201 in set1 5 Epsilon\n4 204 in set1\n200 1 rows"
		if diff := cmp.Diff(want, briefs(a.parts(t))); diff != "" {
			t.Errorf(".NET: %s\n%s", diff, a.body)
		}
		// Power Automate and the like write JSON, with null for what is not there.
		a = s.do(t, t.Context(), "POST /$batch", `{"requests":[
			{"id":"r1","atomicityGroup":null,"dependsOn":null,"method":"GET","url":"/shop/Makers?$top=1&$select=ID","headers":{"Accept":"application/json"},"body":null},
			{"id":"r2","atomicityGroup":"cs","method":"POST","url":"/shop/Makers","headers":{"Content-Type":"application/json","OData-Version":"4.0"},"body":{"Name":"Flow"}},
			{"id":"r3","atomicityGroup":"cs","dependsOn":["r2"],"method":"PATCH","url":"$r2","headers":{"Content-Type":"application/json","If-Match":"*"},"body":{"Country":"RO"}}]}`,
			"Content-Type: application/json; charset=utf-8", "Accept: application/json")
		want = "r1 200 1 rows\nr2 201 in cs 6 Flow\nr3 200 in cs 6 Flow"
		if diff := cmp.Diff(want, briefs(a.parts(t))); diff != "" {
			t.Errorf("JSON: %s\n%s", diff, a.body)
		}
	})
}
