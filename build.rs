//! Prepares what the Tauri macros read at compile time.
fn main() {
    // A missing page directory must not keep the Rust side from building: the page is built by npm.
    let _ = std::fs::create_dir_all("ui/dist");
    tauri_build::build();
}
