package sqlgen

import "strings"

// SearchIndex is the full-text index of a table that $search looks in: a table of
// words beside it, which triggers in plain SQL keep, so that whatever program
// writes the table keeps the index too. SQLite's is FTS4, PostgreSQL's a column of
// tsvector with a GIN index.
//
// Both hold the same words, runs of letters and digits without case, in the order
// of Columns and then of Digits; both look at the first 1,000 characters of a
// column.
type SearchIndex struct {
	Table   string
	Key     string // column of the primary key
	KeyType string // its type on PostgreSQL: "uuid", "bigint", "text"
	Columns []string
	// Digits are the columns of telephone numbers and the like: any four digits or
	// more in a row are found, whatever stands between them.
	Digits []string
}

// searchTable is the name of the table of words beside a table.
func searchTable(table string) string { return table + "_search" }

// Create returns the statements that make the index and fill it.
func (x SearchIndex) Create(d Dialect) []string {
	if d == Postgres {
		return x.fill(postgresIndex)
	}
	return x.fill(liteIndex)
}

// Drop returns the statements that remove the index.
func (x SearchIndex) Drop(d Dialect) []string {
	if d == Postgres {
		return x.fill([]string{
			"DROP TRIGGER {index}_insert ON {table};", "DROP TRIGGER {index}_update ON {table};", "DROP TABLE {index};",
			"DROP FUNCTION {index}_keep;",
		})
	}
	return x.fill([]string{
		"DROP TRIGGER {index}_insert;", "DROP TRIGGER {index}_update;", "DROP TRIGGER {index}_delete;",
		"DROP TABLE {index}_fts;", "DROP TABLE {index};",
	})
}

var liteIndex = []string{
	`CREATE TABLE {index} (
    docid integer PRIMARY KEY,
    key   {type} NOT NULL UNIQUE,
    words text NOT NULL
);`,
	`CREATE VIRTUAL TABLE {index}_fts USING fts4(words, content="{index}", matchinfo="fts3", tokenize=unicode61 "remove_diacritics=0");`,
	`CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN
    INSERT INTO {index} (key, words) VALUES (new.{key}, {words of new});
    INSERT INTO {index}_fts (docid, words) SELECT docid, words FROM {index} WHERE key = new.{key};
END;`,
	`CREATE TRIGGER {index}_update AFTER UPDATE OF {columns} ON {table} WHEN {changed} BEGIN
    DELETE FROM {index}_fts WHERE docid = (SELECT docid FROM {index} WHERE key = old.{key});
    UPDATE {index} SET key = new.{key}, words = {words of new} WHERE key = old.{key};
    INSERT INTO {index}_fts (docid, words) SELECT docid, words FROM {index} WHERE key = new.{key};
END;`,
	`CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN
    DELETE FROM {index}_fts WHERE docid = (SELECT docid FROM {index} WHERE key = old.{key});
    DELETE FROM {index} WHERE key = old.{key};
END;`,
	`INSERT INTO {index} (key, words) SELECT t.{key}, {words of t} FROM {table} t;`,
	`INSERT INTO {index}_fts (docid, words) SELECT docid, words FROM {index};`,
}

var postgresIndex = []string{
	`CREATE TABLE {index} (
    key   {type} NOT NULL PRIMARY KEY REFERENCES {table} ({key}) ON UPDATE CASCADE ON DELETE CASCADE,
    words tsvector NOT NULL
);`,
	`CREATE INDEX {index}_words ON {index} USING gin (words);`,
	`CREATE FUNCTION {index}_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {index} (key, words) VALUES (new.{key}, {words of new})
    ON CONFLICT (key) DO UPDATE SET words = excluded.words;
    RETURN NULL;
END
$$;`,
	`CREATE TRIGGER {index}_insert AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {index}_keep();`,
	`CREATE TRIGGER {index}_update AFTER UPDATE OF {columns} ON {table} FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {index}_keep();`,
	`INSERT INTO {index} (key, words) SELECT t.{key}, {words of t} FROM {table} t;`,
}

// fill puts the names of the index into statements.
func (x SearchIndex) fill(statements []string) []string {
	lite := len(statements) > 0 && (statements[0] == liteIndex[0])
	keyType := x.KeyType
	if lite && keyType == "uuid" {
		keyType = "text"
	} else if lite && keyType == "bigint" {
		keyType = "integer"
	}
	columns := append(append([]string{}, x.Columns...), x.Digits...)
	changed := make([]string, 0, len(columns)+1)
	for _, c := range append([]string{x.Key}, columns...) {
		if lite {
			changed = append(changed, "old."+c+" IS NOT new."+c)
		} else {
			changed = append(changed, "old."+c+" IS DISTINCT FROM new."+c)
		}
	}
	words := x.liteWords
	if !lite {
		words = x.postgresWords
	}
	r := strings.NewReplacer(
		"{index}", searchTable(x.Table), "{table}", x.Table, "{key}", x.Key, "{type}", keyType,
		"{columns}", strings.Join(append([]string{x.Key}, columns...), ", "), "{changed}", strings.Join(changed, " OR "),
		"{words of new}", words("new"), "{words of t}", words("t"),
	)
	filled := make([]string, len(statements))
	for i, s := range statements {
		filled[i] = r.Replace(s)
	}
	return filled
}

// liteWords is the text that SQLite's index reads: the columns, and every ending
// of the digits, so that a search for the beginning of a word finds any part.
func (x SearchIndex) liteWords(row string) string {
	var parts, digits []string
	for _, c := range append(append([]string{}, x.Columns...), x.Digits...) {
		parts = append(parts, "coalesce(substr("+row+"."+c+", 1, 1000), '')")
	}
	for _, c := range x.Digits {
		text := row + "." + c
		for _, sign := range []string{" ", "-", "+", "(", ")", ".", "/"} {
			text = "replace(" + text + ", '" + sign + "', '')"
		}
		digits = append(digits, "SELECT substr("+text+", 1, 40)")
	}
	if digits != nil {
		endings := append(digits, "SELECT substr(d, 2) FROM s WHERE length(d) > 4")
		parts = append(parts, "coalesce((WITH RECURSIVE s(d) AS ("+strings.Join(endings, " UNION ")+") SELECT group_concat(d, ' ') FROM s), '')")
	}
	return strings.Join(parts, "\n        || ' ' || ")
}

// postgresWords is the same as a tsvector. Its words are cut here and not by
// PostgreSQL's parser, which would see addresses and negative numbers in them.
func (x SearchIndex) postgresWords(row string) string {
	var parts, digits []string
	for _, c := range append(append([]string{}, x.Columns...), x.Digits...) {
		parts = append(parts, "left("+row+"."+c+", 1000)")
	}
	for _, c := range x.Digits {
		digits = append(digits, "(left(regexp_replace("+row+"."+c+", '[^0-9]', '', 'g'), 40))")
	}
	if digits != nil {
		parts = append(parts, "(SELECT string_agg(DISTINCT substr(d, n), ' ')\n            FROM (VALUES "+strings.Join(digits, ", ")+") p(d), generate_series(1, greatest(length(d) - 3, 1)) n)")
	}
	return `(
        SELECT coalesce(string_agg(left(w, 500) || ':' || least(n, 16383), ' '), '')::tsvector
        FROM regexp_split_to_table(regexp_replace(translate(lower(concat_ws(' ', ` + strings.Join(parts, ", ") + `) COLLATE "und-x-icu"), 'ς', 'σ'), '[^[:alnum:]]+', ' ', 'g'), ' ')
            WITH ORDINALITY q(w, n)
        WHERE w <> '')`
}
