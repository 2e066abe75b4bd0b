use super::*;

fn key(model: &str) -> Key {
    Key {
        files: vec![model.to_owned()],
        onnxruntime: ("1.31.1".to_owned(), 1),
        provider: "cpu".to_owned(),
        options: Vec::new(),
        optimization: Optimization::All,
        intra_threads: 1,
        processor: processor(),
    }
}

fn cache(dir: &Path, max_bytes: u64, max_entries: usize) -> GraphCache {
    let limits = CacheConfig {
        max_bytes,
        max_entries,
    };
    GraphCache::open(dir, limits).unwrap()
}

fn put(cache: &GraphCache, model: &str, content: &[u8]) {
    let staged = cache.stage().unwrap();
    fs::write(staged.path().join("graph.onnx"), content).unwrap();
    cache.keep(&key(model), staged.path()).unwrap();
}

/// Names in the folder of the cache.
fn names(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn what_was_kept_is_found_by_all_that_it_depends_on() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(&dir.path().join("a/graphs"), 1000, 8);
    assert_eq!(cache.find(&key("m")), None);
    put(&cache, "m", b"graph");
    let folder = cache.find(&key("m")).unwrap();
    assert_eq!(fs::read(folder.join("graph.onnx")).unwrap(), b"graph");
    let other = [
        Key {
            provider: "cuda".to_owned(),
            ..key("m")
        },
        Key {
            onnxruntime: ("1.31.1".to_owned(), 2),
            ..key("m")
        },
        Key {
            optimization: Optimization::Basic,
            ..key("m")
        },
        Key {
            processor: String::new(),
            ..key("m")
        },
        key("n"),
    ];
    assert!(other.iter().all(|key| cache.find(key).is_none()));
    let mode = fs::metadata(dir.path().join("a/graphs"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);
    assert_eq!(names(&dir.path().join("a/graphs")), 1);
}

#[test]
fn what_is_damaged_or_foreign_is_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path(), 1000, 8);
    let spoil: [&dyn Fn(&Path); 5] = [
        &|folder| fs::write(folder.join("graph.onnx"), b"gr4ph").unwrap(),
        &|folder| fs::write(folder.join("graph.onnx"), b"").unwrap(),
        &|folder| fs::remove_file(folder.join("graph.onnx")).unwrap(),
        &|folder| fs::write(folder.join(MANIFEST), b"{}").unwrap(),
        &|folder| fs::remove_file(folder.join(MANIFEST)).unwrap(),
    ];
    for spoil in spoil {
        put(&cache, "m", b"graph");
        spoil(&cache.find(&key("m")).unwrap());
        assert_eq!(cache.find(&key("m")), None);
        assert_eq!(names(dir.path()), 0);
    }
    // One that was made for another key, put in its place.
    put(&cache, "m", b"graph");
    let place = dir.path().join(key("n").name().unwrap());
    fs::rename(cache.find(&key("m")).unwrap(), &place).unwrap();
    assert_eq!(cache.find(&key("n")), None);
    assert!(!place.exists());
}

#[test]
fn a_file_that_is_not_listed_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path(), 1000, 8);
    put(&cache, "m", b"graph");
    let stray = cache.find(&key("m")).unwrap().join("other.blob");
    fs::write(&stray, b"?").unwrap();
    assert!(cache.find(&key("m")).is_some());
    assert!(!stray.exists());
}

#[test]
fn the_longest_unused_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let by_count = cache(dir.path(), 1 << 20, 2);
    for (age, model) in [(30, "a"), (20, "b")] {
        put(&by_count, model, b"graph");
        let manifest = dir.path().join(key(model).name().unwrap()).join(MANIFEST);
        let used = SystemTime::now() - Duration::from_secs(age);
        File::open(manifest).unwrap().set_modified(used).unwrap();
    }
    assert!(by_count.find(&key("a")).is_some());
    put(&by_count, "c", b"graph");
    let found = ["a", "b", "c"].map(|model| by_count.find(&key(model)).is_some());
    assert_eq!(found, [true, false, true]);
    // What is larger than all the room isn't kept, and costs nobody a place.
    let small = cache(dir.path(), 4, 8);
    put(&small, "d", b"graph");
    assert_eq!(small.find(&key("d")), None);
    assert_eq!(names(dir.path()), 2);
}

#[test]
fn the_first_of_two_that_make_the_same_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (cache(dir.path(), 1000, 8), cache(dir.path(), 1000, 8));
    put(&one, "m", b"graph");
    put(&two, "m", b"later");
    let folder = two.find(&key("m")).unwrap();
    assert_eq!(fs::read(folder.join("graph.onnx")).unwrap(), b"graph");
    assert_eq!(names(dir.path()), 1);
}

#[test]
fn what_a_killed_process_left_is_removed_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let left = cache(dir.path(), 1000, 8).stage().unwrap().keep();
    cache(dir.path(), 1000, 8);
    assert!(left.exists());
    let long_ago = SystemTime::now() - 2 * STALE;
    File::open(&left).unwrap().set_modified(long_ago).unwrap();
    cache(dir.path(), 1000, 8);
    assert!(!left.exists());
}
