//! An allocator that overwrites memory before freeing it.
//!
//! A `Secret` wipes itself, but sending a key copies it into headers, URLs and buffers of libraries
//! that do not. Those copies would stay in freed memory as long as the program runs, and in core dumps.

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

/// The largest block to wipe, in bytes. Larger ones hold logs and responses, and wiping one that was
/// only reserved would make it resident.
const LARGEST: usize = 1 << 20;

/// [`MiMalloc`], with freed memory wiped.
///
/// Socket data is allocated on one thread and freed on another, for which the system's allocator takes
/// locks. Mimalloc is built without huge pages: a mostly idle program uses a little of each, and in the
/// tray they were a third of its memory.
#[derive(Debug)]
pub struct ZeroizingAllocator;

/// Overwrites a block that is about to be freed.
///
/// # Safety
/// The block must be `size` bytes that the caller may write to.
#[allow(unsafe_code)]
unsafe fn wipe(block: *mut u8, size: usize) {
    if size <= LARGEST {
        // SAFETY: as the caller promises.
        unsafe { block.write_bytes(0, size) };
        // Keeps the compiler from removing a write that nothing reads.
        std::hint::black_box(block);
    }
}

// SAFETY: every block comes from `MiMalloc` and goes back to it with the layout it came with; a
// wiped block is written to only within its size, before it is freed.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for ZeroizingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives up a block of this layout.
        unsafe {
            wipe(block, layout.size());
            MiMalloc.dealloc(block, layout);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block is one of ours.
        let room = unsafe { MiMalloc.usable_size(block) };
        // Then the block stays in place; otherwise `realloc` would free the old one unwiped.
        if size <= room && size >= room - room / 2 {
            if size < layout.size() {
                // SAFETY: the block ends at its layout's size.
                unsafe { wipe(block.add(size), layout.size() - size) };
            }
            // SAFETY: the caller's promises are passed on.
            return unsafe { MiMalloc.realloc(block, layout, size) };
        }
        // SAFETY: the caller promises that the size fits a layout with this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: `size` is not zero, as the caller promises.
        let moved = unsafe { MiMalloc.alloc(new) };
        if !moved.is_null() {
            // SAFETY: two blocks of at least that many bytes, the second just allocated; the first is
            // given up.
            unsafe {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                wipe(block, layout.size());
                MiMalloc.dealloc(block, layout);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lies at `block` after `free`: freed memory of mimalloc stays mapped, but for the first
    /// words, in which it links free blocks.
    #[allow(unsafe_code)]
    fn left(size: usize, free: impl FnOnce(*mut u8, Layout)) -> Vec<u8> {
        let layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: the size is not zero; the block is written to within its size; what is read after it
        // was freed is still mapped, and these tests alone use this allocator.
        unsafe {
            let block = ZeroizingAllocator.alloc(layout);
            block.write_bytes(b'k', size);
            free(block, layout);
            (32..size).map(|at| block.add(at).read_volatile()).collect()
        }
    }

    #[test]
    #[allow(unsafe_code)]
    fn freed_and_moved_blocks_are_wiped() {
        for size in [64, 500, 4_000, 100_000] {
            // SAFETY: a block of this layout.
            let freed =
                left(size, |block, layout| unsafe { ZeroizingAllocator.dealloc(block, layout) });
            assert!(!freed.contains(&b'k'), "{size} freed");
            let moved = left(size, |block, layout| {
                // SAFETY: a block of this layout.
                let moved = unsafe { ZeroizingAllocator.realloc(block, layout, size * 3) };
                assert_ne!(moved, block);
                // SAFETY: it holds at least `size` bytes.
                let copied = unsafe { std::slice::from_raw_parts(moved, size) };
                assert!(copied.iter().all(|byte| *byte == b'k'), "what it held comes along");
            });
            assert!(!moved.contains(&b'k'), "{size} moved");
        }
    }
}
