//! A span of whole days, by the time of the decision.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// UTC days from one to another: the first is part of it, the last is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    from: Date,
    to: Date,
}

/// Days that are no period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeriod {
    /// It would be empty.
    #[error(
        "`to` must be after `from`: the day {to} itself is no longer part of the period from {from}"
    )]
    Empty {
        /// Its first day.
        from: Date,
        /// The day after its last one.
        to: Date,
    },
    /// A day of another age.
    #[error("{day} is not in the years 1970 to 9998")]
    Day {
        /// The day.
        day: Date,
    },
}

impl Period {
    /// The days from `from` on, up to but without `to`.
    pub fn new(from: Date, to: Date) -> Result<Self, InvalidPeriod> {
        for day in [from, to] {
            if !(1970..=9998).contains(&day.year()) {
                return Err(InvalidPeriod::Day { day });
            }
        }
        if from >= to {
            return Err(InvalidPeriod::Empty { from, to });
        }
        Ok(Self { from, to })
    }

    /// Its first day.
    pub fn from(&self) -> Date {
        self.from
    }

    /// The day after its last one.
    pub fn to(&self) -> Date {
        self.to
    }

    /// The same in milliseconds since 1970: `(from, to)`, the first included, the last not.
    pub fn millis(&self) -> (i64, i64) {
        (start(self.from), start(self.to))
    }
}

fn start(day: Date) -> i64 {
    let midnight = day.to_zoned_datetime(TimeZone::UTC);
    // Years 1970 to 9998 have their milliseconds.
    midnight.map_or(0, |midnight| midnight.timestamp().as_millisecond())
}

/// The UTC day of a time in milliseconds since 1970.
pub fn day(millis: i64) -> Date {
    let at = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned_datetime(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(from: &str, to: &str) -> Result<Period, InvalidPeriod> {
        Period::new(from.parse().unwrap(), to.parse().unwrap())
    }

    #[test]
    fn the_first_day_is_part_of_it_and_the_last_is_not() {
        let (from, to) = period("2026-11-24", "2026-11-25").unwrap().millis();
        assert_eq!(to - from, 86_400_000);
        assert_eq!(day(from).to_string(), "2026-11-24");
        assert_eq!(day(to - 1).to_string(), "2026-11-24");
        assert_eq!(day(to).to_string(), "2026-11-25");
        assert_eq!(day(from - 1).to_string(), "2026-11-23");
    }

    #[test]
    fn what_is_empty_or_of_another_age_is_refused() {
        for (from, to) in [
            ("2026-11-24", "2026-11-24"),
            ("2026-11-24", "2026-11-23"),
            ("1969-12-31", "2026-01-01"),
            ("2026-01-01", "9999-01-01"),
        ] {
            assert!(period(from, to).is_err(), "{from} {to}");
        }
    }
}
