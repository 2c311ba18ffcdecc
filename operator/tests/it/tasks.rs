//! No task ends in silence: each is started where its end is told.

use std::fs;
use std::path::{Path, PathBuf};

/// Where tasks are started, and who notices their end.
const STARTED: [(&str, usize, &str); 4] = [
    ("supervision.rs", 4, "logs, counts and starts anew"),
    ("webhook/server.rs", 1, "answers the request for which it was started"),
    ("run.rs", 2, "ends the process"),
    ("controllers/policies.rs", 1, "ends its controller, which is started anew"),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(files).collect()
}

#[test]
fn every_task_is_started_where_its_end_is_noticed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&root) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let starts = ["tokio::spawn(", "spawn_blocking(", "thread::spawn(", "watches.spawn(", "spawn_local("];
        let found: usize = starts.iter().map(|start| code.matches(start).count()).sum();
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let known = STARTED.iter().find(|(known, ..)| *known == file).map_or(0, |(_, count, _)| *count);
        assert_eq!(found, known, "{file} starts tasks: who notices their end?");
    }
}
