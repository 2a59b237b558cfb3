//! A yes or no for every stored line.

/// Lines that are looked at together; a power of two.
pub const CHUNK: u64 = 4_096;
/// Words that hold the bits of a chunk.
pub const WORDS: usize = (CHUNK / 64) as usize;

/// The bits of one chunk.
pub type Words = [u64; WORDS];

/// See the module's documentation. Numbers are those of the order of storing.
#[derive(Clone, Debug, Default)]
pub struct Bitmap {
    /// The chunk of the first element.
    base: u64,
    chunks: Vec<Option<Box<Words>>>,
}

/// Which chunk a line is in.
#[must_use]
pub fn chunk_of(stored: u64) -> u64 {
    stored / CHUNK
}

impl Bitmap {
    /// Sets the bits of a chunk.
    pub fn put(&mut self, chunk: u64, words: Words) {
        if self.chunks.is_empty() {
            self.base = chunk;
        }
        if chunk < self.base {
            let more = usize::try_from(self.base - chunk).unwrap_or(0);
            self.chunks.splice(0..0, std::iter::repeat_n(None, more));
            self.base = chunk;
        }
        let at = usize::try_from(chunk - self.base).unwrap_or(usize::MAX);
        if at >= self.chunks.len() {
            self.chunks.resize(at + 1, None);
        }
        self.chunks[at] = words.iter().any(|word| *word != 0).then(|| Box::new(words));
    }

    /// The bits of a chunk; none where none were set.
    #[must_use]
    pub fn get(&self, chunk: u64) -> Option<&Words> {
        let at = usize::try_from(chunk.checked_sub(self.base)?).ok()?;
        self.chunks.get(at)?.as_deref()
    }

    /// Sets one bit.
    pub fn set(&mut self, stored: u64) {
        let chunk = chunk_of(stored);
        if self.get(chunk).is_none() {
            let mut words = [0; WORDS];
            words[0] = 1;
            self.put(chunk, words);
            words[0] = 0;
            let at = usize::try_from(chunk - self.base).unwrap_or(0);
            self.chunks[at] = Some(Box::new(words));
        }
        let at = usize::try_from(chunk - self.base).unwrap_or(0);
        if let Some(words) = &mut self.chunks[at] {
            set(words, stored);
        }
    }
}

/// Sets the bit of a line within its chunk.
pub fn set(words: &mut Words, stored: u64) {
    let bit = stored % CHUNK;
    words[(bit / 64) as usize] |= 1 << (bit % 64);
}

/// Whether the bit of a line within its chunk is set.
#[must_use]
pub fn is_set(words: &Words, stored: u64) -> bool {
    let bit = stored % CHUNK;
    words[(bit / 64) as usize] & (1 << (bit % 64)) != 0
}

/// All bits from one line up to another of the same chunk, the end left out.
#[must_use]
pub fn range(from: u64, to: u64) -> Words {
    let mut words = [0; WORDS];
    let (from, to) = (from % CHUNK, to.saturating_sub(1) % CHUNK + 1);
    for (at, word) in (0_u64..).zip(&mut words) {
        let (begin, end) = (at * 64, at * 64 + 64);
        if from < end && to > begin {
            let low = from.max(begin) - begin;
            let high = to.min(end) - begin;
            *word = (u64::MAX >> (64 - (high - low))) << low;
        }
    }
    words
}

/// The bits that are set in all of some sets, counted, so that the nth can be found.
#[derive(Clone, Debug, Default)]
pub struct Index {
    base: u64,
    chunks: Vec<Option<Box<Words>>>,
    /// Bitmap before each chunk; one more than there are chunks.
    before: Vec<u64>,
}

impl Index {
    /// Counts what is set in all of `sets`.
    #[must_use]
    pub fn of(sets: &[&Bitmap]) -> Index {
        let Some((first, others)) = sets.split_first() else { return Index::default() };
        let mut index = Index { base: first.base, chunks: Vec::new(), before: vec![0] };
        let mut sum = 0;
        for (chunk, words) in (first.base..).zip(&first.chunks) {
            let mut all = words.clone();
            for other in others {
                all = match (all, other.get(chunk)) {
                    (Some(mut all), Some(other)) => {
                        for (word, mask) in all.iter_mut().zip(other) {
                            *word &= mask;
                        }
                        Some(all)
                    }
                    _ => None,
                };
            }
            sum +=
                all.iter().flat_map(|w| w.iter()).map(|w| u64::from(w.count_ones())).sum::<u64>();
            index.chunks.push(all);
            index.before.push(sum);
        }
        index
    }

    /// How many bits are set in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    fn words(&self, chunk: u64) -> Option<&Words> {
        let at = usize::try_from(chunk.checked_sub(self.base)?).ok()?;
        self.chunks.get(at)?.as_deref()
    }

    /// How many bits are set before a line.
    #[must_use]
    pub fn rank(&self, stored: u64) -> u64 {
        let Some(chunk) = chunk_of(stored).checked_sub(self.base) else { return 0 };
        let at = usize::try_from(chunk).unwrap_or(usize::MAX);
        if at >= self.chunks.len() {
            return self.count();
        }
        let inside = self.chunks[at].as_ref().map_or(0, |words| {
            let bit = stored % CHUNK;
            let full = (bit / 64) as usize;
            let whole: u64 = words[..full].iter().map(|word| u64::from(word.count_ones())).sum();
            let rest = words[full] & !(u64::MAX << (bit % 64));
            whole + u64::from(rest.count_ones())
        });
        self.before[at] + inside
    }

    /// The line of the nth bit, from 0.
    #[must_use]
    pub fn select(&self, nth: u64) -> Option<u64> {
        if nth >= self.count() {
            return None;
        }
        let at = self.before.partition_point(|before| *before <= nth).checked_sub(1)?;
        let words = self.chunks.get(at)?.as_ref()?;
        let mut left = nth - self.before[at];
        for (n, word) in (0_u64..).zip(words.iter()) {
            let ones = u64::from(word.count_ones());
            if left < ones {
                let mut word = *word;
                for _ in 0..left {
                    word &= word - 1;
                }
                let bit = n * 64 + u64::from(word.trailing_zeros());
                return Some((self.base + at as u64) * CHUNK + bit);
            }
            left -= ones;
        }
        None
    }

    /// Whether the bit of a line is set.
    #[must_use]
    pub fn has(&self, stored: u64) -> bool {
        self.words(chunk_of(stored)).is_some_and(|words| is_set(words, stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn bits_are_counted_and_found_as_in_a_plain_set(
            one in proptest::collection::btree_set(3_000u64..20_000, 0..200),
            other in proptest::collection::btree_set(0u64..20_000, 0..2_000),
            looks in proptest::collection::vec(0u64..22_000, 20),
        ) {
            let bits = |set: &BTreeSet<u64>| {
                let mut bits = Bitmap::default();
                // Chunks come in any order.
                for line in set.iter().rev() {
                    bits.set(*line);
                }
                bits
            };
            let (a, b) = (bits(&one), bits(&other));
            let both: Vec<u64> = one.intersection(&other).copied().collect();
            let index = Index::of(&[&a, &b]);
            prop_assert_eq!(index.count(), both.len() as u64);
            for (nth, line) in (0..).zip(&both) {
                prop_assert_eq!(index.select(nth), Some(*line));
            }
            prop_assert_eq!(index.select(both.len() as u64), None);
            for look in looks {
                prop_assert_eq!(index.rank(look), both.iter().filter(|line| **line < look).count() as u64);
                prop_assert_eq!(index.has(look), both.contains(&look));
            }
        }

        #[test]
        fn a_range_has_the_bits_from_its_first_to_its_last(from in 0u64..4_096, len in 1u64..4_096) {
            let to = (from + len).min(4_096);
            let words = range(from, to);
            for line in 0..4_096 {
                prop_assert_eq!(is_set(&words, line), (from..to).contains(&line));
            }
        }
    }
}
