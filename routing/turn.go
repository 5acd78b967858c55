package routing

import (
	"fmt"

	"gorm.io/gorm"
)

// takeTurns waits for its turn in the rotations that the rules held may take
// part in, which are then those of this transaction until it ends, and reads
// whose turn it is. It returns the number of this turn by priority.
func (m *moment) takeTurns(tx *gorm.DB, held []*liveRule) (map[int]int64, error) {
	var numbers map[int]int64
	for _, priority := range m.rotations(held) {
		if numbers == nil {
			numbers = map[int]int64{}
		}
		var n int64
		err := tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, `INSERT INTO rotations (priority, turn) VALUES ($1, 1)
			ON CONFLICT (priority) DO UPDATE SET turn = rotations.turn + 1 RETURNING turn`, priority).Scan(&n)
		if err != nil {
			return nil, fmt.Errorf("rotation of priority %d: %w", priority, err)
		}
		numbers[priority] = n
		if err := m.readTurns(tx, priority); err != nil {
			return nil, fmt.Errorf("turns of priority %d: %w", priority, err)
		}
	}
	return numbers, nil
}

// rotations are the tiers, from the first, in which rules held might have to
// take turns.
func (m *moment) rotations(held []*liveRule) []int {
	var priorities []int
	for begin := 0; begin < len(held); {
		end := begin
		turns := false
		for ; end < len(held) && held[end].priority == held[begin].priority; end++ {
			turns = turns || held[end].rotation == byTurn && m.obstacle(held[end]).Outcome == ""
		}
		if turns && end-begin > 1 {
			priorities = append(priorities, held[begin].priority)
		}
		begin = end
	}
	return priorities
}

func (m *moment) readTurns(tx *gorm.DB, priority int) error {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context,
		"SELECT rule_id, turn FROM rotation_turns WHERE priority = $1", priority)
	if err != nil {
		return err
	}
	defer rows.Close()
	if m.turns == nil {
		m.turns = map[int64]int64{}
	}
	for rows.Next() {
		var rule, turn int64
		if err := rows.Scan(&rule, &turn); err != nil {
			return err
		}
		m.turns[rule] = turn
	}
	return rows.Err()
}

// turnSteps leaves room between the numbers of two turns for the rules that were
// chosen in the same one.
const turnSteps = 1024

// keepTurns notes the turns of the rules chosen.
func keepTurns(tx *gorm.DB, verdicts []Verdict, numbers map[int]int64) error {
	for _, v := range verdicts {
		n, ok := numbers[v.Priority]
		if v.Outcome != Chosen || v.Turn == nil || !ok {
			continue
		}
		_, err := exec(tx, `INSERT INTO rotation_turns (priority, rule_id, turn) VALUES ($1, $2, $3)
			ON CONFLICT (priority, rule_id) DO UPDATE SET turn = excluded.turn`,
			v.Priority, v.RuleID, n*turnSteps+int64(min(v.Rank, turnSteps-1)))
		if err != nil {
			return fmt.Errorf("turn of rule %d: %w", v.RuleID, err)
		}
	}
	return nil
}
