use std::{cmp::Reverse, collections::BTreeMap, fmt::Display, str::FromStr};

use portcullis_kernel::{Cursor, Page, PageRequest, Place, Slice};

/// Rows by their primary key, and what it takes to undo the changes since they were last kept.
pub(super) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    undo: Vec<(K, Option<V>)>,
}

/// A table of any type, at the end of a unit of work.
pub(super) trait Journal {
    /// Makes every change final.
    fn keep(&mut self);
    /// Undoes every change that is not final.
    fn roll_back(&mut self);
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.rows.values()
    }

    /// Adds the row or takes the place of the one with this key.
    pub(super) fn put(&mut self, key: K, row: V) {
        let old = self.rows.insert(key.clone(), row);
        self.undo.push((key, old));
    }

    /// Changes the row with this key; says whether there is one.
    pub(super) fn update(&mut self, key: &K, change: impl FnOnce(&mut V)) -> bool {
        let Some(row) = self.rows.get_mut(key) else { return false };
        self.undo.push((key.clone(), Some(row.clone())));
        change(row);
        true
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let old = self.rows.remove(key)?;
        self.undo.push((key.clone(), Some(old.clone())));
        Some(old)
    }

    /// The keys of at most `limit` rows that are `wanted`.
    pub(super) fn keys_where(&self, limit: u32, wanted: impl Fn(&K, &V) -> bool) -> Vec<K> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let rows = self.rows.iter().filter(|(key, row)| wanted(key, row));
        rows.take(limit).map(|(key, _)| key.clone()).collect()
    }

    /// Those of the rows that are `wanted`, in the order of their keys, whose text is in that order too.
    pub(super) fn page(&self, page: &PageRequest, wanted: impl Fn(&V) -> bool) -> Page<V>
    where
        K: Display,
    {
        let after = page.after.as_ref().map(Cursor::key);
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let mut rows = self
            .rows
            .iter()
            .filter(|(key, _)| after.is_none_or(|after| key.to_string().as_str() > after))
            .filter(|(_, row)| wanted(row));
        let (mut items, mut last) = (Vec::new(), None);
        for (key, row) in rows.by_ref().take(limit) {
            items.push(row.clone());
            last = Some(key);
        }
        let more = rows.next().is_some();
        let next = last.filter(|_| more).map(|key| Cursor::after(key.to_string()));
        Page { items, next }
    }

    /// Those of the rows that are `wanted`, newest first.
    pub(super) fn slice<Id: Ord + Copy + Display + FromStr>(
        &self,
        slice: &Slice<Id>,
        place: impl Fn(&V) -> Place<Id>,
        wanted: impl Fn(&V) -> bool,
    ) -> Page<V> {
        let order = |place: Place<Id>| Reverse((place.at, place.id));
        let after = slice.after.map(order);
        let rows = self.rows.values().filter(|row| wanted(row));
        let mut items: Vec<V> = rows
            .filter(|row| after.is_none_or(|after| order(place(row)) > after))
            .cloned()
            .collect();
        items.sort_by_key(|row| order(place(row)));
        let limit = usize::try_from(slice.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| place(last).cursor());
        Page { items, next }
    }

    /// Removes at most `limit` rows that are `wanted`; says how many.
    pub(super) fn remove_where(&mut self, limit: u32, wanted: impl Fn(&K, &V) -> bool) -> u64 {
        let keys = self.keys_where(limit, wanted);
        keys.iter().fold(0, |count, key| count + u64::from(self.remove(key).is_some()))
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), undo: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Journal for Table<K, V> {
    fn keep(&mut self) {
        self.undo.clear();
    }

    fn roll_back(&mut self) {
        while let Some((key, old)) = self.undo.pop() {
            match old {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
    }
}
