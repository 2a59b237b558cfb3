//! Where files go, the same for the window and the command line.

use std::path::{Path, PathBuf};

/// The directories of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// History, logs of the program itself, window state.
    pub data: PathBuf,
    /// The settings file.
    pub settings: PathBuf,
    /// Whether the user chose another data directory than the system's: such a program may run
    /// beside the usual one.
    pub is_custom: bool,
}

/// No directory for files could be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "No place for Jobwatch's files: the home directory is unknown. Set HOME, or name the places \
     with --data-dir and --config."
)]
pub struct NoHome;

impl Paths {
    /// Finds the places: what the command line says, then `JOBWATCH_DATA_DIR` and
    /// `JOBWATCH_CONFIG_DIR`, then the system's custom (on Linux the XDG base directories).
    ///
    /// # Errors
    /// [`NoHome`] when one is neither given nor known.
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

    /// Where the program writes its own log.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.data.join("logs")
    }
}

/// The base directory specification says that a relative path is to be ignored.
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
    fn flags_win_over_variables_and_variables_over_the_system() {
        let env = [("JOBWATCH_DATA_DIR", "/v"), ("JOBWATCH_CONFIG_DIR", "/c"), ("HOME", "/h")];
        let paths = find((None, None), &env).unwrap();
        assert_eq!(paths.data, Path::new("/v"));
        assert_eq!(paths.settings, Path::new("/c/settings.toml"));
        assert!(paths.is_custom);
        let paths = find((Some("/f"), Some("/f/s.toml")), &env).unwrap();
        assert_eq!((paths.data, paths.settings), ("/f".into(), "/f/s.toml".into()));
    }

    #[test]
    fn without_a_home_the_user_is_told_what_to_set() {
        assert_eq!(find((None, None), &[]), Err(NoHome));
        assert!(find((Some("/d"), Some("/s")), &[]).is_ok());
    }
}
