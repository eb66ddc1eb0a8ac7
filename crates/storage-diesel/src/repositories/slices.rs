//! Lists that are ordered by time, newest first, and then by id.

use std::{fmt::Display, str::FromStr};

use portcullis_kernel::{Page, Place, Slice};

/// The rows of a boxed query that a slice takes, and one more when there is a next one. The first
/// condition on the time is there for the index, which knows nothing of the second.
macro_rules! after {
    ($query:expr, $slice:expr, $at:expr, $id:expr) => {{
        let mut query = $query.order(($at.desc(), $id.desc())).limit(i64::from($slice.limit) + 1);
        if let Some(place) = &$slice.after {
            let (at, id) = (DbInstant(place.at), AsText(place.id));
            query = query.filter($at.le(at)).filter($at.lt(at).or($id.lt(id)));
        }
        query
    }};
}

pub(super) use after;

/// The page that the rows of such a query make.
pub(super) fn slice_of<T, Id: Display + FromStr>(
    mut items: Vec<T>,
    slice: &Slice<Id>,
    place: impl Fn(&T) -> Place<Id>,
) -> Page<T> {
    let limit = usize::try_from(slice.limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| place(last).cursor());
    Page { items, next }
}
