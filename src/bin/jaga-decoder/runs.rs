//! Which packets a choice of frames costs: pure planning over the packet table.

use crate::timeline::Row;

/// A frame that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its packet.
    pub(crate) row: usize,
    /// Its index among the chosen frames.
    pub(crate) index: usize,
}

/// Consecutive packets, from a keyframe to the last target that it serves, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// A keyframe's row.
    pub(crate) first: usize,
    /// The row after which nothing more is needed.
    pub(crate) last: usize,
    /// The frames wanted of this run, by row.
    pub(crate) targets: Vec<Target>,
}

/// Runs that serve `targets`, ascending and apart.
pub(crate) fn plan(rows: &[Row], targets: &[Target]) -> Vec<Run> {
    let mut single: Vec<Run> = targets
        .iter()
        .map(|target| Run {
            first: entry(
                rows,
                target.row,
                rows.get(target.row).map_or(0, |row| row.pts),
            ),
            last: target.row,
            targets: vec![*target],
        })
        .collect();
    single.sort_by_key(|run| (run.first, run.last));
    let mut runs: Vec<Run> = Vec::new();
    for run in single {
        match runs.last_mut() {
            // Reading on is free where one run ends at or right before the next one's start.
            Some(open) if run.first <= open.last.saturating_add(1) => {
                open.last = open.last.max(run.last);
                open.targets.extend(run.targets);
            }
            _ => runs.push(run),
        }
    }
    for run in &mut runs {
        run.targets.sort_by_key(|target| target.row);
    }
    runs
}

/// A second try for the targets of `run` in `lost`: enters one keyframe earlier, for streams whose
/// keyframes only promise a right picture some frames later.
pub(crate) fn earlier(rows: &[Row], run: &Run, lost: &[Target]) -> Option<Run> {
    let until = lost.iter().map(|target| target.row).max()?;
    let before = run.first.checked_sub(1)?;
    let first = rows.get(..=before)?.iter().rposition(|row| row.key)?;
    Some(Run {
        first,
        last: until,
        targets: lost.to_vec(),
    })
}

/// The keyframe to enter at for the frame in `row` that is shown at `pts`: the last one that comes
/// no later in both orders, so that pictures which lead an open group get the group before.
fn entry(rows: &[Row], row: usize, pts: i64) -> usize {
    rows.get(..=row)
        .unwrap_or_default()
        .iter()
        .rposition(|candidate| candidate.key && candidate.pts <= pts)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::row;

    fn targets(rows: &[usize]) -> Vec<Target> {
        rows.iter()
            .enumerate()
            .map(|(index, row)| Target { row: *row, index })
            .collect()
    }

    fn spans(runs: &[Run]) -> Vec<(usize, usize)> {
        runs.iter().map(|run| (run.first, run.last)).collect()
    }

    fn closed_groups() -> Vec<Row> {
        (0..30).map(|i| row(i * 10, i % 10 == 0)).collect()
    }

    #[test]
    fn a_keyframe_costs_one_packet() {
        let runs = plan(&closed_groups(), &targets(&[0, 10, 20]));
        assert_eq!(spans(&runs), [(0, 0), (10, 10), (20, 20)]);
    }

    #[test]
    fn targets_of_a_group_share_its_run() {
        let runs = plan(&closed_groups(), &targets(&[2, 5, 17]));
        assert_eq!(spans(&runs), [(0, 5), (10, 17)]);
        assert_eq!(runs[0].targets.len(), 2);
    }

    #[test]
    fn adjoining_runs_become_one() {
        assert_eq!(
            spans(&plan(&closed_groups(), &targets(&[9, 10]))),
            [(0, 10)]
        );
    }

    #[test]
    fn leading_pictures_of_an_open_group_enter_at_the_group_before() {
        // Decode order of an open group: key 50 before 30 and 40, which are shown first.
        let rows = [
            row(0, true),
            row(20, false),
            row(50, true),
            row(30, false),
            row(60, false),
        ];
        assert_eq!(spans(&plan(&rows, &targets(&[3]))), [(0, 3)]);
        assert_eq!(spans(&plan(&rows, &targets(&[4]))), [(2, 4)]);
    }

    #[test]
    fn a_second_try_enters_one_keyframe_earlier() {
        let rows = closed_groups();
        let run = &plan(&rows, &targets(&[17]))[0];
        let again = earlier(&rows, run, &run.targets).unwrap();
        assert_eq!((again.first, again.last), (0, 17));
        assert_eq!(earlier(&rows, &again, &again.targets), None);
    }
}
