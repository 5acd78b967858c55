package routing

// The periods that a rule can have a cap for.
const (
	capDay   = "day"
	capWeek  = "week"
	capMonth = "month"
	capTotal = "total"
)
