//! How much of the server's list is read. It has the newest jobs first, as many as are asked for, and
//! knows no second page: so as many are asked for as hold all that is under way.

use std::collections::{BTreeSet, HashSet};

use crate::dialect::Incoming;
use crate::dialect::oversized::grouped;
use crate::model::JobId;

/// Rows asked for, and then if these do not hold what they should.
const STEPS: [usize; 3] = [50, 500, 5_000];

/// Rows asked for behind the oldest job under way, for those that are added meanwhile.
const MARGIN: usize = 10;

/// What has been read of one list.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Jobs that were under way.
    open: BTreeSet<JobId>,
    /// Rows that held all of them, and a few more.
    limit: usize,
    /// It was read once as far as it goes.
    read: bool,
}

/// A row, as far as it decides how much is read.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: JobId,
    pub(super) open: bool,
    /// Nothing was heard of it before.
    pub(super) new: bool,
}

/// What a list that was asked for comes to.
#[derive(Debug)]
pub(super) enum Step {
    /// It holds what it should.
    Done,
    /// So many rows are to be asked for.
    Further(usize),
    /// There may be more, which ended long ago.
    Past,
    /// There may be more that is under way.
    Cut,
}

impl Listed {
    /// How many rows to ask for.
    pub(super) fn limit(&self) -> usize {
        self.limit.max(STEPS[0])
    }

    /// So many rows were asked for, and these came.
    pub(super) fn take(&mut self, limit: usize, rows: &[Row]) -> Step {
        let full = rows.len() >= limit;
        let held: HashSet<&JobId> = rows.iter().map(|row| &row.id).collect();
        let lacks = self.open.iter().any(|id| !held.contains(id));
        let goes_on = rows.last().is_some_and(|row| row.open || (self.read && row.new));
        // The first look goes some way into the past for what is still under way.
        let first = !self.read && limit < STEPS[1];
        let further = STEPS.into_iter().find(|step| *step > limit);
        if let (true, Some(further)) = (full && (first || lacks || goes_on), further) {
            return Step::Further(further);
        }
        let oldest = rows.iter().rposition(|row| row.open).map_or(0, |at| at + 1 + MARGIN);
        // In steps, so that topics ask the same.
        self.limit = oldest.next_multiple_of(STEPS[0]).min(STEPS[2]);
        self.open = rows.iter().filter(|row| row.open).map(|row| row.id.clone()).collect();
        self.read = true;
        let tail = &rows[rows.len() - rows.len().min(STEPS[1])..];
        match full {
            false => Step::Done,
            true if further.is_none() && tail.iter().any(|row| row.open) => Step::Cut,
            true => Step::Past,
        }
    }
}

/// The list does not show all there is.
pub(super) fn partial(open: bool) -> Incoming {
    let why = open.then(|| {
        format!(
            "Only the newest {} jobs are listed. To follow an older one, watch it by its id.",
            grouped(STEPS[2])
        )
    });
    Incoming::Partial { open, why }
}
