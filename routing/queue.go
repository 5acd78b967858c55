package routing

import (
	"strings"

	"leadloop/store"
)

// queue is a table of work, and the one whose rows it is done for: routings by
// rules, or onwards by sources. The workers treat them alike.
type queue struct {
	table  string // of the work
	owners string // the table of those it is done for; each has a circuit breaker

	claim, probe, lease, due, giveBack, breakers, takeProbes, saveBreaker map[string]string
}

// routingQueue is the work of rules. How much of it is done at once depends on the
// rule's customer.
var routingQueue = newQueue("routings", "rules", strings.NewReplacer(
	"{work}", "routings", "{owners}", "rules", "{owner}", "rule_id",
	"{columns}", "r.id, r.lead_id, r.customer_id, r.rule_id, r.rule_revision, r.attempt_count, r.next_attempt_at, c.max_concurrent, c.max_per_minute",
	"{CROSS JOIN party}", "CROSS JOIN customers c", "{party of u}", "c.id = u.customer_id AND c.id",
	"{JOIN party of u}", "JOIN customers c ON c.id = u.customer_id", "{party}", "c.id", "{party columns}", "c.*",
	"{JOIN party of r}", "JOIN customers c ON c.id = r.customer_id",
	"{about}", "id, customer_id, name, state, coalesce(active_revision, 0)",
))

// onwardQueue is the work of sources. Each source is a party of its own, with its
// ID negated, as customers have the positive numbers.
var onwardQueue = newQueue("onwards", "sources", strings.NewReplacer(
	"{work}", "onwards", "{owners}", "sources", "{owner}", "source_id",
	"{columns}", "r.id, r.lead_id, -r.source_id, r.source_id, 0, r.attempt_count, r.next_attempt_at, NULL, NULL",
	"{CROSS JOIN party}", "", "{party of u}", "-u.id",
	"{JOIN party of u}", "", "{party}", "-u.id", "{party columns}", "u.id",
	"{JOIN party of r}", "",
	"{about}", "id, -id, name, '', 0",
))

// newQueue fills in the statements on a queue.
//
// The claim walks from owner to owner that has anything queued, by the index on
// (owner, next_attempt_at), and takes the share of each that has been due longest,
// until there is enough. So it costs what it takes, however long the queue of one
// owner is. Owners with an open breaker are passed over.
//
// Servers that claim at the same time on PostgreSQL pass over each other's rows;
// on SQLite they take turns. The orders are such that no other index gives them:
// by another one, each walk might pass over all that was ever sent.
func newQueue(table, owners string, names *strings.Replacer) *queue {
	each := func(sqlite, postgres string) map[string]string {
		return map[string]string{store.SQLite: names.Replace(sqlite), store.Postgres: names.Replace(postgres)}
	}
	// What has been due longest of one owner.
	const probe = `SELECT {columns} FROM {work} r {JOIN party of r}
		WHERE r.{owner} = $1 AND r.next_attempt_at <= $2 ORDER BY r.next_attempt_at LIMIT 1`
	const lease = `UPDATE {work} SET state = 'sending', lease_token = $1, next_attempt_at = $2, version = version + 1 WHERE `
	const giveBack = `UPDATE {work} SET state = 'pending', next_attempt_at = v.due, lease_token = NULL, version = version + 1
		FROM v WHERE id = v.work AND lease_token = v.token RETURNING id`
	const breakers = `SELECT {about}, breaker, breaker_until, failing_since, breaker_recent, breaker_pause FROM {owners} WHERE `
	const takeProbes = `UPDATE {owners} SET breaker = 'half-open', breaker_until = $1, version = version + 1
		WHERE id IN (SELECT id FROM {owners} WHERE breaker_until <= $2
			AND EXISTS (SELECT 1 FROM {work} WHERE {work}.{owner} = {owners}.id AND next_attempt_at <= $2) ORDER BY breaker_until LIMIT 64`
	const saveBreaker = `UPDATE {owners} SET breaker = $1, breaker_until = $2, failing_since = $3, breaker_recent = $4, breaker_pause = $5,
		version = version + $6 WHERE id = $7`
	return &queue{
		table: table, owners: owners,
		claim: each(`WITH RECURSIVE lane (id) AS (
				SELECT (SELECT {owner} FROM {work} INDEXED BY {work}_queue WHERE next_attempt_at IS NOT NULL AND {owner} > $1 ORDER BY {owner} LIMIT 1)
				UNION ALL
				SELECT (SELECT {owner} FROM {work} INDEXED BY {work}_queue WHERE next_attempt_at IS NOT NULL AND {owner} > lane.id ORDER BY {owner} LIMIT 1) FROM lane WHERE lane.id < $2)
			SELECT {columns} FROM lane CROSS JOIN {owners} u {CROSS JOIN party} CROSS JOIN {work} r
			WHERE lane.id <= $2 AND u.id = lane.id AND u.breaker_until IS NULL
				AND {party of u} NOT IN (SELECT value FROM json_each($3))
				AND r.id IN (SELECT q.id FROM {work} q INDEXED BY {work}_queue WHERE q.{owner} = lane.id AND q.next_attempt_at <= $4 ORDER BY q.next_attempt_at LIMIT $5)
			LIMIT $6`,
			`WITH RECURSIVE lane (id) AS (
				SELECT (SELECT {owner} FROM {work} WHERE next_attempt_at IS NOT NULL AND {owner} > $1 ORDER BY {owner}, next_attempt_at LIMIT 1)
				UNION ALL
				SELECT (SELECT {owner} FROM {work} WHERE next_attempt_at IS NOT NULL AND {owner} > lane.id ORDER BY {owner}, next_attempt_at LIMIT 1) FROM lane WHERE lane.id < $2)
			SELECT {columns} FROM lane
			CROSS JOIN LATERAL (SELECT {party columns} FROM {owners} u {JOIN party of u}
				WHERE u.id = lane.id AND u.breaker_until IS NULL AND {party} <> ALL ($3::bigint[]) OFFSET 0) c
			CROSS JOIN LATERAL (SELECT * FROM {work} q WHERE q.{owner} >= lane.id AND q.{owner} <= lane.id AND q.next_attempt_at <= $4
				ORDER BY q.{owner}, q.next_attempt_at LIMIT $5 FOR UPDATE SKIP LOCKED) r
			WHERE lane.id <= $2 LIMIT $6`),
		probe:       each(probe, probe+" FOR UPDATE OF r SKIP LOCKED"),
		lease:       each(lease+"id IN (SELECT value FROM json_each($3))", lease+"id = ANY ($3::uuid[])"),
		giveBack:    each(giveBack, giveBack),
		takeProbes:  each(takeProbes+") RETURNING id", takeProbes+" FOR NO KEY UPDATE SKIP LOCKED) RETURNING id"),
		saveBreaker: each(saveBreaker, saveBreaker),
		breakers: each(breakers+`id IN (SELECT value FROM json_each($1))
				OR (id IN (SELECT value FROM json_each($2)) AND (breaker_recent <> 0 OR breaker <> 'closed')) ORDER BY id`,
			breakers+`id = ANY($1::bigint[]) OR (id = ANY($2::bigint[]) AND (breaker_recent <> 0 OR breaker <> 'closed'))
				ORDER BY id FOR NO KEY UPDATE`),
		// The due query walks likewise, up to the first owner that has something due,
		// or a probe.
		due: each(`WITH RECURSIVE lane (id) AS (
				SELECT (SELECT {owner} FROM {work} INDEXED BY {work}_queue WHERE next_attempt_at IS NOT NULL ORDER BY {owner} LIMIT 1)
				UNION ALL
				SELECT (SELECT {owner} FROM {work} INDEXED BY {work}_queue WHERE next_attempt_at IS NOT NULL AND {owner} > lane.id ORDER BY {owner} LIMIT 1) FROM lane WHERE lane.id IS NOT NULL)
			SELECT 1 FROM lane CROSS JOIN {owners} u
			WHERE u.id = lane.id AND (u.breaker_until IS NULL OR u.breaker_until <= $1)
				AND EXISTS (SELECT 1 FROM {work} q INDEXED BY {work}_queue WHERE q.{owner} = lane.id AND q.next_attempt_at <= $1)
			LIMIT 1`,
			`WITH RECURSIVE lane (id) AS (
				SELECT (SELECT {owner} FROM {work} WHERE next_attempt_at IS NOT NULL ORDER BY {owner}, next_attempt_at LIMIT 1)
				UNION ALL
				SELECT (SELECT {owner} FROM {work} WHERE next_attempt_at IS NOT NULL AND {owner} > lane.id ORDER BY {owner}, next_attempt_at LIMIT 1) FROM lane WHERE lane.id IS NOT NULL)
			SELECT 1 FROM lane
			CROSS JOIN LATERAL (SELECT FROM {owners} u WHERE u.id = lane.id AND (u.breaker_until IS NULL OR u.breaker_until <= $1) OFFSET 0) u
			CROSS JOIN LATERAL (SELECT FROM {work} q WHERE q.{owner} >= lane.id AND q.{owner} <= lane.id AND q.next_attempt_at <= $1
				ORDER BY q.{owner}, q.next_attempt_at LIMIT 1) q
			LIMIT 1`),
	}
}
