//! The file that tells of lines which came late: how the order differs from that of storing.

use std::io;
use std::path::Path;

use super::order::Order;

/// The file's name in a job's directory.
pub const FILE: &str = "order";
/// Bytes of a step.
const STEP: usize = 24;

/// What happened to the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reorder {
    /// `count` lines from `stored` on were put before the row `row`.
    Placed {
        /// Number of the first one.
        stored: u64,
        /// Before which row.
        row: u64,
        /// How many.
        count: u32,
    },
    /// All lines stored before this number were dropped.
    Dropped(u64),
}

impl Reorder {
    fn bytes(&self) -> [u8; STEP] {
        let (stored, row, count) = match *self {
            Reorder::Placed { stored, row, count } => (stored, row, count),
            Reorder::Dropped(stored) => (stored, u64::MAX, 0),
        };
        let mut bytes = [0; STEP];
        bytes[0..8].copy_from_slice(&stored.to_le_bytes());
        bytes[8..16].copy_from_slice(&row.to_le_bytes());
        bytes[16..20].copy_from_slice(&count.to_le_bytes());
        let check = crc32fast::hash(&bytes[..20]);
        bytes[20..24].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8; STEP]) -> Option<Reorder> {
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | (u64::from(u32_at(at + 4)) << 32);
        if crc32fast::hash(&bytes[..20]) != u32_at(20) {
            return None;
        }
        let (stored, row, count) = (u64_at(0), u64_at(8), u32_at(16));
        Some(match count {
            0 => Reorder::Dropped(stored),
            count => Reorder::Placed { stored, row, count },
        })
    }
}

/// Steps as the file holds them.
#[must_use]
pub fn bytes(steps: &[Reorder]) -> Vec<u8> {
    steps.iter().flat_map(Reorder::bytes).collect()
}

/// The steps that put lines from `stored` on before `rows`, numbers of the order as it was before.
/// Steps are told one after another: each row has moved by the lines that went before it.
#[must_use]
pub fn placed(stored: u64, rows: &[u64]) -> Vec<Reorder> {
    let mut steps: Vec<Reorder> = Vec::new();
    for (nth, row) in (0..).zip(rows) {
        let moved = row + nth;
        match steps.last_mut() {
            Some(Reorder::Placed { row, count, .. }) if *row + u64::from(*count) == moved => {
                *count += 1
            }
            _ => steps.push(Reorder::Placed { stored: stored + nth, row: moved, count: 1 }),
        }
    }
    steps
}

/// The order of the lines stored from 0 up to `end`, by the steps in a file, and how many lines the
/// steps have dropped. Also tells how many bytes of the file were understood and fit.
///
/// # Errors
/// The file system's; a file that is not there holds no steps.
pub fn replay(path: &Path, end: u64) -> io::Result<(Order, u64, u64)> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let (mut order, mut dropped, mut next, mut used) = (Order::default(), 0, 0, 0);
    let (steps, _) = bytes.as_chunks::<STEP>();
    for step in steps.iter().map_while(Reorder::read) {
        match step {
            Reorder::Placed { stored, row, count } => {
                let after = stored.saturating_add(u64::from(count));
                // Of lines that were never written.
                if stored < next || after > end {
                    break;
                }
                order.append(next, stored - next);
                order.insert(stored, &vec![row; count as usize]);
                next = after;
            }
            Reorder::Dropped(stored) => {
                if stored > end {
                    break;
                }
                order.append(next, stored.saturating_sub(next));
                next = next.max(stored);
                dropped += order.keep(&[(stored, u64::MAX)]);
            }
        }
        used += STEP as u64;
    }
    order.append(next, end - next);
    Ok((order, dropped, used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_same_after_a_replay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut order = Order::default();
        let mut written = Vec::new();
        order.append(0, 10);
        for (stored, rows) in [(10, vec![3, 3, 7, 10]), (14, vec![0, 14]), (18, vec![5])] {
            order.append(order.len(), stored - order.len());
            written.extend(bytes(&placed(stored, &rows)));
            order.insert(stored, &rows);
        }
        std::fs::write(&path, &written).unwrap();
        assert_eq!(replay(&path, 19).unwrap(), (order.clone(), 0, written.len() as u64));
        // A later line that was never written leaves the earlier ones as they were.
        let (shorter, _, used) = replay(&path, 18).unwrap();
        assert_eq!(shorter.len(), 18);
        assert_eq!(used, written.len() as u64 - 24);
        order.keep(&[(12, u64::MAX)]);
        written.extend(bytes(&[Reorder::Dropped(12)]));
        std::fs::write(&path, &written).unwrap();
        let (again, dropped, _) = replay(&path, 19).unwrap();
        assert_eq!((again, dropped), (order, 12));
        assert_eq!(replay(&dir.path().join("none"), 3).unwrap().0.len(), 3);
    }
}
