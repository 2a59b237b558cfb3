//! The directories for files, for the window and the command line.

use std::path::{Path, PathBuf};

/// The directories of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// History, job logs, the program's own log, window state.
    pub data: PathBuf,
    /// The settings file.
    pub settings: PathBuf,
    /// Whether the user chose the data directory; such an instance may run next to the default one.
    pub is_custom: bool,
}

/// The home directory is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Can't find a directory for Jobwatch's files: the home directory is unknown. Set HOME, or use \
     --data-dir and --config."
)]
pub struct NoHome;

impl Paths {
    /// Finds the directories: those of the command line, then of `JOBWATCH_DATA_DIR` and
    /// `JOBWATCH_CONFIG_DIR`, then the system's defaults (on Linux the XDG base directories).
    ///
    /// # Errors
    /// [`NoHome`] if one is neither given nor known.
    pub fn find(data_dir: Option<&Path>, settings: Option<&Path>) -> Result<Paths, NoHome> {
        Paths::find_in(data_dir, settings, |name| std::env::var_os(name).map(PathBuf::from))
    }

    fn find_in(
        data_dir: Option<&Path>,
        settings: Option<&Path>,
        variable: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<Paths, NoHome> {
        let variable = |name: &str| variable(name).filter(|path| !path.as_os_str().is_empty());
        let given = data_dir.map(Path::to_path_buf).or_else(|| variable("JOBWATCH_DATA_DIR"));
        let is_custom = given.is_some();
        let data = given.or_else(|| system_data(&variable)).ok_or(NoHome)?;
        let settings = settings
            .map(Path::to_path_buf)
            .or_else(|| variable("JOBWATCH_CONFIG_DIR").map(|dir| dir.join("settings.toml")))
            .or_else(|| system_config(&variable).map(|dir| dir.join("settings.toml")))
            .ok_or(NoHome)?;
        Ok(Paths { data, settings, is_custom })
    }

    /// The directory of the program's own log.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.data.join("logs")
    }
}

/// An XDG base directory; the specification says to ignore relative paths.
#[cfg(not(any(target_os = "macos", windows)))]
fn xdg(
    variable: &impl Fn(&str) -> Option<PathBuf>,
    name: &str,
    below_home: &str,
) -> Option<PathBuf> {
    variable(name)
        .filter(|path| path.is_absolute())
        .or_else(|| variable("HOME").map(|home| home.join(below_home)))
        .map(|base| base.join("jobwatch"))
}

#[cfg(not(any(target_os = "macos", windows)))]
fn system_data(variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    xdg(variable, "XDG_DATA_HOME", ".local/share")
}

#[cfg(not(any(target_os = "macos", windows)))]
fn system_config(variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    xdg(variable, "XDG_CONFIG_HOME", ".config")
}

#[cfg(target_os = "macos")]
fn system_data(variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable("HOME").map(|home| home.join("Library/Application Support/Jobwatch"))
}

#[cfg(target_os = "macos")]
fn system_config(variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    system_data(variable)
}

#[cfg(windows)]
fn system_data(variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable("LOCALAPPDATA").map(|base| base.join("Jobwatch"))
}

#[cfg(windows)]
fn system_config(variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable("APPDATA").map(|base| base.join("Jobwatch"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn find(flags: (Option<&str>, Option<&str>), env: &[(&str, &str)]) -> Result<Paths, NoHome> {
        Paths::find_in(flags.0.map(Path::new), flags.1.map(Path::new), |name| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value))
        })
    }

    #[test]
    fn files_go_where_the_base_directory_specification_says() {
        let paths = find((None, None), &[("HOME", "/home/ann")]).unwrap();
        assert_eq!(paths.data, Path::new("/home/ann/.local/share/jobwatch"));
        assert_eq!(paths.settings, Path::new("/home/ann/.config/jobwatch/settings.toml"));
        assert!(!paths.is_custom);
        let env = [("HOME", "/home/ann"), ("XDG_DATA_HOME", "/d"), ("XDG_CONFIG_HOME", "not/abs")];
        let paths = find((None, None), &env).unwrap();
        assert_eq!(paths.data, Path::new("/d/jobwatch"));
        assert_eq!(paths.settings, Path::new("/home/ann/.config/jobwatch/settings.toml"));
    }

    #[test]
    fn flags_win_over_variables_and_variables_over_defaults() {
        let env = [("JOBWATCH_DATA_DIR", "/v"), ("JOBWATCH_CONFIG_DIR", "/c"), ("HOME", "/h")];
        let paths = find((None, None), &env).unwrap();
        assert_eq!(paths.data, Path::new("/v"));
        assert_eq!(paths.settings, Path::new("/c/settings.toml"));
        assert!(paths.is_custom);
        let paths = find((Some("/f"), Some("/f/s.toml")), &env).unwrap();
        assert_eq!((paths.data, paths.settings), ("/f".into(), "/f/s.toml".into()));
    }

    #[test]
    fn without_a_home_directories_must_be_given() {
        assert_eq!(find((None, None), &[]), Err(NoHome));
        assert!(find((Some("/d"), Some("/s")), &[]).is_ok());
    }
}
