package console

import (
	"fmt"
	"math"
	"strings"
)

// Chart is drawn by the server: {{template "chart" (.Data.Chart.Draw $.visit)}},
// with a table of the same numbers below it.
type Chart struct {
	Title  string
	Kind   string // "bar", "line" or "stacked"
	Labels []string
	Series []Series
}

// Series are the values of a chart under one name, as many as there are labels.
// Tone is its colour: 1 to 6, or good, warn, bad.
type Series struct {
	Name, Tone string
	Values     []float64
}

// The measures of a chart, in the units of its drawing.
const (
	chartWidth, chartHeight  = 640.0, 220.0
	chartLeft, chartTop      = 44.0, 12.0
	chartRight, chartBottom  = 8.0, 28.0
	innerWidth, innerHeight  = chartWidth - chartLeft - chartRight, chartHeight - chartTop - chartBottom
	maxLabels, gridLineCount = 12, 4
)

// drawing is a chart in shapes.
type drawing struct {
	Chart
	Legend bool
	Grid   []gridLine
	Bars   []bar
	Lines  []line
	Ticks  []tick
	Rows   []drawnRow
}

type gridLine struct {
	Y     string
	Label string
}

type bar struct{ X, Y, Width, Height, Tone, Title string }

type line struct{ Points, Area, Tone string }

type tick struct{ X, Label string }

type drawnRow struct {
	Label  string
	Values []string
}

// Draw lays the chart out and writes its numbers in the reader's language.
func (c Chart) Draw(l *locale) drawing {
	d := drawing{Chart: c, Legend: len(c.Series) > 1}
	top := nice(c.top())
	y := func(value float64) float64 { return chartTop + innerHeight*(1-value/top) }
	for i := range gridLineCount + 1 {
		value := top * float64(i) / gridLineCount
		d.Grid = append(d.Grid, gridLine{coordinate(y(value)), l.Number(value)})
	}
	n := float64(max(len(c.Labels), 1))
	step := innerWidth / n
	every := (len(c.Labels) + maxLabels - 1) / maxLabels
	for i, label := range c.Labels {
		if i%max(every, 1) == 0 {
			d.Ticks = append(d.Ticks, tick{coordinate(chartLeft + step*(float64(i)+0.5)), label})
		}
		row := drawnRow{Label: label}
		for _, s := range c.Series {
			row.Values = append(row.Values, l.Number(s.at(i)))
		}
		d.Rows = append(d.Rows, row)
	}
	if c.Kind == "line" {
		d.drawLines(step, y)
	} else {
		d.drawBars(l, step, y)
	}
	return d
}

func (d *drawing) drawLines(step float64, y func(float64) float64) {
	for i, s := range d.Series {
		var points strings.Builder
		for j := range d.Labels {
			fmt.Fprintf(&points, "%s,%s ", coordinate(chartLeft+step*(float64(j)+0.5)), coordinate(y(s.at(j))))
		}
		last := chartLeft + step*(float64(len(d.Labels))-0.5)
		area := fmt.Sprintf("%s,%s %s%s,%s", coordinate(chartLeft+step/2), coordinate(y(0)), points.String(), coordinate(last), coordinate(y(0)))
		d.Lines = append(d.Lines, line{strings.TrimSpace(points.String()), area, s.ToneAt(i)})
	}
}

func (d *drawing) drawBars(l *locale, step float64, y func(float64) float64) {
	groups := 1.0
	if d.Kind == "bar" {
		groups = float64(max(len(d.Series), 1))
	}
	width := math.Min(step*0.72/groups, 36)
	for j, label := range d.Labels {
		left := chartLeft + step*(float64(j)+0.5) - width*groups/2
		below := 0.0
		for i, s := range d.Series {
			value := s.at(j)
			b := bar{
				X: coordinate(left), Y: coordinate(y(below + value)), Width: coordinate(math.Max(width-1, 1)),
				Height: coordinate(y(below) - y(below+value)), Tone: s.ToneAt(i), Title: label + " · " + s.Name + ": " + l.Number(value),
			}
			if d.Kind == "bar" {
				b.X = coordinate(left + width*float64(i))
			} else {
				below += value
			}
			if value > 0 {
				d.Bars = append(d.Bars, b)
			}
		}
	}
}

// top is the highest value that is drawn.
func (c Chart) top() (top float64) {
	for j := range c.Labels {
		sum := 0.0
		for _, s := range c.Series {
			sum += s.at(j)
			if c.Kind != "stacked" {
				top = math.Max(top, s.at(j))
			}
		}
		if c.Kind == "stacked" {
			top = math.Max(top, sum)
		}
	}
	return top
}

func (s Series) at(i int) float64 {
	if i < len(s.Values) {
		return s.Values[i]
	}
	return 0
}

// ToneAt is the colour of the series that stands at place i.
func (s Series) ToneAt(i int) string {
	if s.Tone != "" {
		return s.Tone
	}
	return fmt.Sprint(i%6 + 1)
}

// nice is the least round number that top fits under and that grid lines share
// evenly.
func nice(top float64) float64 {
	if top <= gridLineCount {
		return gridLineCount
	}
	unit := math.Pow(10, math.Floor(math.Log10(top)))
	for _, m := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10} {
		if value := m * unit; value >= top && math.Mod(value, gridLineCount) == 0 {
			return value
		}
	}
	return math.Ceil(top/gridLineCount) * gridLineCount
}

func coordinate(v float64) string { return fmt.Sprintf("%.1f", v) }

// Spark is the line of a Stat's trend, in a box of 100 by 28.
func (s Stat) Spark() string {
	top := 1.0
	for _, v := range s.Trend {
		top = math.Max(top, v)
	}
	var points strings.Builder
	for i, v := range s.Trend {
		fmt.Fprintf(&points, "%s,%s ", coordinate(100*float64(i)/math.Max(float64(len(s.Trend)-1), 1)), coordinate(26-24*v/top))
	}
	return strings.TrimSpace(points.String())
}
