// Package console is the pages of the staff.
package console
