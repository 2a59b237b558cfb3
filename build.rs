//! Prepares what the Tauri macros read at compile time.

include!("src-tauri/ipc/names.rs");

const PLACEHOLDER: &str = "<!doctype html><meta charset=\"utf-8\"><title>Jobwatch</title>\
    <p>The page has not been built. Run <code>cargo xtask run</code>, or <code>npm ci</code> and \
    <code>npm run build</code> in <code>ui</code>, then build the program again.</p>\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The page is built by npm; that it is missing must not keep the Rust side from building.
    let page = std::path::Path::new("ui/dist/index.html");
    if !page.exists() {
        std::fs::create_dir_all("ui/dist")?;
        std::fs::write(page, PLACEHOLDER)?;
    }
    println!("cargo:rerun-if-changed=ui/dist");
    println!("cargo:rerun-if-changed=src-tauri/ipc/names.rs");
    let manifest = tauri_build::AppManifest::new().commands(COMMANDS);
    tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest))?;
    Ok(())
}
