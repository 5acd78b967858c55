package odata

// WithoutPlans is s with every read planned anew.
func (s *Service) WithoutPlans() *Service {
	bare := *s
	bare.plans = nil
	return &bare
}
