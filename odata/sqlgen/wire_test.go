package sqlgen

import (
	"testing"

	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// TestRecords: what is read from a record is what PostgreSQL itself makes of the value.
func TestRecords(t *testing.T) {
	db := storetest.Open(t, store.Postgres).Read(t.Context())
	one := layout{{label: `"v":`}}
	for _, value := range []string{
		"NULL::text", "''", `'a"b\c' || chr(8) || chr(12) || chr(10) || chr(13) || chr(9) || chr(1) || chr(31) || chr(127) || '/<é>' || chr(128512)`, "'x'::varchar", "'x'::char(3)",
		"true", "false", "1::int2", "-1::int2", "2147483647", "-2147483648", "9223372036854775807::bigint", "(-9223372036854775808)::bigint",
		"0::numeric", "0.00::numeric", "-0.5::numeric", "1234.5600::numeric", "0.0001::numeric", "0.00000012::numeric", "10000::numeric", "100000000::numeric", "123456789.123456789::numeric",
		"99999999999999999999999999.99::numeric", "1e20::numeric", "1e-9::numeric", "-10000.0001::numeric", "'NaN'::numeric", "'Infinity'::numeric", "'-Infinity'::numeric",
		"'00112233-4455-6677-8899-aabbccddeeff'::uuid", `'{"a": [1, null]}'::json`, `'{"a":[1,null]}'::jsonb`, "'null'::jsonb",
	} {
		rows, err := db.Statement.ConnPool.QueryContext(t.Context(), "SELECT record_send(ROW("+value+")), row_to_json(r)::text FROM (SELECT "+value+" AS v) r")
		if err != nil {
			t.Fatal(value, err)
		}
		var record, want []byte
		if !rows.Next() || rows.Scan(&record, &want) != nil || rows.Close() != nil {
			t.Fatal(value, rows.Err())
		}
		got, err := (&Statement{layout: one}).AppendJSON(nil, record)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: got %s (%v), want %s", value, got, err, want)
		}
		for n := range record { // one that is cut off is an error, and no panic
			if got, err := (&Statement{layout: one}).AppendJSON(nil, record[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes give %s", value, n, len(record), got)
			}
		}
	}
	for at, want := range map[string]string{
		"2026-11-22T09:53:54.000001Z": `{"v":"2026-11-22T09:53:54.000001Z"}`, "1999-12-31T23:59:59.999999Z": `{"v":"1999-12-31T23:59:59.999999Z"}`,
		"0001-01-01T00:00:00Z": `{"v":"0001-01-01T00:00:00.000000Z"}`, "9999-12-31T23:59:59.5+01": `{"v":"9999-12-31T22:59:59.500000Z"}`,
	} {
		var record []byte
		if err := db.Raw("SELECT record_send(ROW(?::timestamptz))", at).Row().Scan(&record); err != nil {
			t.Fatal(err)
		}
		if got, err := (&Statement{layout: one}).AppendJSON(nil, record); err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v)", at, got, err)
		}
	}
	var record []byte
	if err := db.Raw("SELECT record_send(ROW('1 day'::interval))").Row().Scan(&record); err != nil {
		t.Fatal(err)
	}
	if got, err := (&Statement{layout: one}).AppendJSON(nil, record); err == nil {
		t.Errorf("a type that is not known gives %s", got)
	}
}
