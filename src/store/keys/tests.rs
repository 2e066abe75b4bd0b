use std::os::unix::fs::PermissionsExt;

use super::*;

fn store() -> (tempfile::TempDir, KeyStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = KeyStore::open(dir.path()).unwrap();
    (dir, store)
}

#[test]
fn a_key_opens_until_it_is_revoked() {
    let (dir, store) = store();
    let token = store.create(Role::Flagger, Some("trusted")).unwrap();
    let ring = KeyRing::open(dir.path()).unwrap();
    let holder = ring.check(token.reveal()).unwrap();
    assert_eq!(
        (holder.id.as_str(), holder.role),
        (token.id(), Role::Flagger)
    );
    assert_eq!(ring.check("jaga_"), None);
    assert_eq!(ring.check(Token::generate().unwrap().reveal()), None);
    assert!(!ring.refresh().unwrap(), "nothing changed");
    store.revoke(token.id()).unwrap();
    assert!(ring.refresh().unwrap());
    assert_eq!(ring.check(token.reveal()), None);
    assert!(store.list().unwrap()[0].revoked_at.is_some());
    assert!(matches!(
        store.revoke("0000"),
        Err(KeysError::Unknown { .. })
    ));
}

#[test]
fn a_forged_secret_of_a_known_id_is_refused() {
    let (dir, store) = store();
    let token = store.create(Role::Client, None).unwrap();
    let other = Token::generate().unwrap();
    let signed = format!("jaga_{}_{}", token.id(), &other.reveal()[22..86]);
    let checksum = &blake3::hash(signed.as_bytes()).to_hex()[..8];
    let forged = format!("{signed}{checksum}");
    assert_eq!(Token::parse(&forged).unwrap().id(), token.id());
    let ring = KeyRing::open(dir.path()).unwrap();
    assert_eq!(ring.check(&forged), None);
    assert!(ring.check(token.reveal()).is_some());
}

#[test]
fn the_files_are_closed_and_hold_no_key() {
    let (dir, store) = store();
    let token = store
        .create(Role::Admin, Some("a \"quoted\" name"))
        .unwrap();
    for name in ["keys.toml", "keys.secret"] {
        let path = dir.path().join(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&token.reveal()[22..40]), "{name}");
    }
    assert_eq!(
        store.list().unwrap()[0].name.as_deref(),
        Some("a \"quoted\" name")
    );
    assert!(store.create(Role::Client, Some("a\nb")).is_err());
}

#[test]
fn a_broken_file_is_named_at_the_start_and_keeps_the_old_keys_later() {
    let (dir, store) = store();
    let token = store.create(Role::Client, None).unwrap();
    let ring = KeyRing::open(dir.path()).unwrap();
    let sheet = dir.path().join("keys.toml");
    let good = fs::read_to_string(&sheet).unwrap();
    for bad in [
        "rubbish".to_owned(),
        good.replace("version = 1", "version = 2"),
        good.replace("hash = \"", "hash = \"x"),
        good.replace("role = \"client\"", "role = \"root\""),
        good.replace("version = 1", "version = 1\nmore = 1"),
    ] {
        fs::write(&sheet, &bad).unwrap();
        let error = KeyRing::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("keys.toml"), "{error}");
        assert!(ring.refresh().is_err(), "{bad}");
        assert!(ring.check(token.reveal()).is_some());
    }
    fs::remove_file(&sheet).unwrap();
    assert!(ring.refresh().is_err(), "it is gone");
    assert!(ring.check(token.reveal()).is_some());
    assert!(!ring.refresh().unwrap(), "a fault is told once");
}

#[test]
fn files_that_others_may_read_are_refused() {
    let (dir, store) = store();
    store.create(Role::Client, None).unwrap();
    let path = dir.path().join("keys.secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = KeyRing::open(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("keys.secret") && error.contains("644"),
        "{error}"
    );
}

#[test]
fn a_lost_secret_is_told_and_never_made_anew() {
    let (dir, store) = store();
    store.create(Role::Client, None).unwrap();
    fs::remove_file(dir.path().join("keys.secret")).unwrap();
    assert!(KeyRing::open(dir.path()).is_err());
    assert!(store.create(Role::Client, None).is_err());
}

#[test]
fn the_last_use_is_kept_and_no_revocation_is_lost_over_it() {
    let (dir, store) = store();
    let (first, second) = (
        store.create(Role::Client, None).unwrap(),
        store.create(Role::Client, None).unwrap(),
    );
    let ring = KeyRing::open(dir.path()).unwrap();
    ring.check(first.reveal()).unwrap();
    store.revoke(first.id()).unwrap();
    ring.flush().unwrap();
    let keys = store.list().unwrap();
    assert!(keys[0].last_used_at.is_some() && keys[0].revoked_at.is_some());
    assert_eq!(
        (keys[1].id.as_str(), keys[1].last_used_at),
        (second.id(), None)
    );
}

#[test]
fn many_at_a_time_lose_no_key() {
    let (dir, store) = store();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    store.create(Role::Client, None).unwrap();
                }
            });
        }
    });
    assert_eq!(store.list().unwrap().len(), 40);
    assert_eq!(KeyRing::open(dir.path()).unwrap().len(), 40);
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 3, "keys.toml, keys.secret, keys.lock");
}

#[test]
fn only_a_file_system_that_takes_nothing_is_read_only() {
    let fault = |kind: std::io::ErrorKind| {
        let path = Path::new("keys.toml");
        error::failed("write", path)(kind.into()).is_read_only()
    };
    assert!(fault(std::io::ErrorKind::ReadOnlyFilesystem));
    assert!(!fault(std::io::ErrorKind::PermissionDenied));
    assert!(!fault(std::io::ErrorKind::StorageFull));
}
