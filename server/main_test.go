package server

import (
	"context"
	"flag"
	"testing"

	"leadloop/store"
	"leadloop/store/storetest"
)

// TestMain fixes the seed of the random tests, so that one run is like another,
// and how long they take; -rapid.seed=0 draws afresh.
func TestMain(m *testing.M) {
	_ = flag.Set("rapid.seed", "20261122") // the flags are rapid's own
	_ = flag.Set("rapid.steps", "20")
	storetest.Main(m, closeChromium, removeProgram)
}

var (
	background = context.Background()
	asSystem   = store.WithActor(background, store.Actor{Kind: store.System, Name: "test"})
)
