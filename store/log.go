package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// slowStatement is how long a statement may take before it is worth a warning.
const slowStatement = time.Second

// gormLog hands GORM's messages to slog. Statements are logged without their
// arguments, which are personal data.
type gormLog struct{}

// LogMode implements logger.Interface; the level is slog's affair.
func (l gormLog) LogMode(logger.LogLevel) logger.Interface { return l }

// Info implements logger.Interface.
func (gormLog) Info(ctx context.Context, format string, args ...any) {
	slog.DebugContext(ctx, fmt.Sprintf(format, args...))
}

// Warn implements logger.Interface.
func (gormLog) Warn(ctx context.Context, format string, args ...any) {
	slog.WarnContext(ctx, fmt.Sprintf(format, args...))
}

// Error implements logger.Interface.
func (gormLog) Error(ctx context.Context, format string, args ...any) {
	slog.ErrorContext(ctx, fmt.Sprintf(format, args...))
}

// ParamsFilter keeps arguments out of what is logged.
func (gormLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}

// Trace implements logger.Interface: it logs statements that failed for no
// reason a caller is expected to handle, and slow ones.
func (gormLog) Trace(ctx context.Context, begin time.Time, statement func() (sql string, rows int64), err error) {
	took := time.Since(begin)
	switch {
	case err != nil && !expected(err):
		sql, _ := statement()
		slog.ErrorContext(ctx, "statement failed", "error", err, "sql", sql, "took", took)
	case took > slowStatement:
		sql, rows := statement()
		slog.WarnContext(ctx, "slow statement", "sql", sql, "took", took, "rows", rows)
	}
}

// expected reports whether err is part of normal life: its caller turns it into
// an answer, or it will be tried again.
func expected(err error) bool {
	for _, e := range []error{
		gorm.ErrRecordNotFound, gorm.ErrDuplicatedKey, gorm.ErrForeignKeyViolated,
		gorm.ErrCheckConstraintViolated, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return retryable(err)
}
