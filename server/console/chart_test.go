package console

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNice(t *testing.T) {
	for top, want := range map[float64]float64{0: 4, 3: 4, 5: 8, 9: 12, 17: 20, 95: 100, 101: 120, 1234: 1600, 99999: 100000} {
		if got := nice(top); got != want {
			t.Errorf("nice(%v) = %v, want %v", top, got, want)
		}
	}
}

func TestDraw(t *testing.T) {
	en, _ := speakers(t)
	c := Chart{Kind: "stacked", Labels: []string{"Mon", "Tue"}, Series: []Series{{Name: "Sold", Tone: "good", Values: []float64{3, 0}}, {Name: "Lost", Values: []float64{1, 4}}}}
	d := c.Draw(en)
	want := []bar{
		{X: "173.0", Y: "57.0", Width: "35.0", Height: "135.0", Tone: "good", Title: "Mon · Sold: 3"},
		{X: "173.0", Y: "12.0", Width: "35.0", Height: "45.0", Tone: "2", Title: "Mon · Lost: 1"},
		{X: "467.0", Y: "12.0", Width: "35.0", Height: "180.0", Tone: "2", Title: "Tue · Lost: 4"},
	}
	if diff := cmp.Diff(want, d.Bars); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]drawnRow{{"Mon", []string{"3", "1"}}, {"Tue", []string{"0", "4"}}}, d.Rows); diff != "" {
		t.Error(diff)
	}
	c.Kind = "line"
	if got := c.Draw(en).Lines[0]; got.Points != "191.0,57.0 485.0,192.0" || got.Area != "191.0,192.0 191.0,57.0 485.0,192.0 485.0,192.0" {
		t.Errorf("%+v", got)
	}
	if d := (Chart{Kind: "bar", Series: []Series{{Name: "None"}}}).Draw(en); len(d.Bars) != 0 || len(d.Grid) != 5 {
		t.Errorf("an empty chart: %+v", d)
	}
}
