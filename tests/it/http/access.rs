//! Keys, roles and rates.

use std::fs::Permissions;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;

use jaga::config::Config;
use jaga::domain::role::Role;
use jaga::http::config::Auth;
use jaga::store::{KeyStore, keys::Token};
use reqwest::blocking::{RequestBuilder, Response};
use serde_json::Value;

use super::exposition::Exposition;
use crate::cli::Shell;
use crate::http::process::Process;
use crate::server::{Server, answer, eventually};

fn guarded(change: impl FnOnce(&mut Config)) -> Option<(Server, KeyStore)> {
    let server = Server::start(|config| {
        config.server.auth = Auth::Required;
        change(config);
    })?;
    let store = KeyStore::open(server.data.path()).unwrap();
    Some((server, store))
}

/// A key that the server knows already.
fn key(server: &Server, store: &KeyStore, role: Role) -> Token {
    let token = store.create(role, None).unwrap();
    eventually("the server knows the key", || {
        bearer(server.client.get(server.url("/v1/models")), &token).status() == 200
    });
    token
}

fn bearer(request: RequestBuilder, token: &Token) -> Response {
    request.bearer_auth(token.reveal()).send().unwrap()
}

fn code(response: Response) -> (u16, String) {
    let (status, body) = answer(response);
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

fn picture() -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(40, 30, image::Rgb([128, 128, 128]))
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    png.into_inner()
}

#[test]
fn without_a_key_only_health_is_told() {
    let Some((server, _)) = guarded(|_| {}) else {
        return;
    };
    assert_eq!(server.get("/healthz").status(), 200);
    assert_eq!(server.get("/readyz").status(), 200);
    let refused = server.get("/v1/models");
    assert_eq!(
        refused.headers()["www-authenticate"],
        "Bearer realm=\"jaga\""
    );
    assert_eq!(code(refused), (401, "unauthenticated".to_owned()));
    assert_eq!(
        code(server.get("/nowhere")),
        (401, "unauthenticated".to_owned())
    );
    for credentials in ["Bearer ", "Bearer jaga_x", "Basic amFnYQ==", "Bearer"] {
        let request = server.client.get(server.url("/v1/models"));
        let refused = request.header("authorization", credentials).send().unwrap();
        let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("invalid_token"), "{challenge}");
        assert_eq!(code(refused), (401, "unauthenticated".to_owned()));
    }
    let stranger = Token::generate().unwrap();
    let refused = bearer(server.client.get(server.url("/v1/models")), &stranger);
    assert_eq!(refused.status(), 401);
    let twice = server.client.get(server.url("/v1/models"));
    let twice = twice.header("authorization", "Bearer jaga_x");
    assert_eq!(bearer(twice, &stranger).status(), 401);
    let (status, _) = server.score_bytes("", picture());
    assert_eq!(status, 401);
}

#[test]
fn each_role_may_do_its_own() {
    let Some((server, store)) = guarded(|_| {}) else {
        return;
    };
    for (role, may_score) in [
        (Role::Client, true),
        (Role::Flagger, true),
        (Role::Reviewer, false),
        (Role::Admin, true),
    ] {
        let token = key(&server, &store, role);
        let request = server.client.post(server.url("/v1/score")).body(picture());
        let answered = bearer(request, &token);
        if may_score {
            assert_eq!(answered.status(), 200, "{role}");
        } else {
            let challenge = answered.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.contains("insufficient_scope"), "{challenge}");
            assert_eq!(code(answered), (403, "forbidden".to_owned()), "{role}");
        }
        let nowhere = bearer(server.client.get(server.url("/v1/nowhere")), &token);
        assert_eq!(code(nowhere), (404, "not_found".to_owned()), "{role}");
        let metrics = bearer(server.client.get(server.url("/metrics")), &token);
        let expected = if role == Role::Admin { 200 } else { 403 };
        assert_eq!(metrics.status(), expected, "{role}");
    }
}

#[test]
fn a_flaggers_upload_takes_the_flaggers_lane() {
    let policy = "[policy]\nname = \"lanes\"\nversion = \"1\"\nactions = [\"none\", \"label\", \"escalate\"]\n\
        [[rule]]\nname = \"trusted\"\nquestion = \"ai_generated\"\nmin_score = 0.0\nlane = \"flagger\"\naction = \"escalate\"\n";
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), policy).unwrap();
    let Some((server, store)) = guarded(|config| {
        config.policy.files = vec![file.path().to_owned()];
        config.policy.default = "lanes".to_owned();
    }) else {
        return;
    };
    for (role, action) in [(Role::Flagger, "escalate"), (Role::Client, "none")] {
        let token = key(&server, &store, role);
        let request = server.client.post(server.url("/v1/score")).body(picture());
        let (status, report) = answer(bearer(request, &token));
        assert_eq!(status, 200, "{report}");
        assert_eq!(report["policy"]["action"], action, "{role}");
    }
}

#[test]
fn a_revoked_key_is_refused_while_the_server_runs() {
    let Some((mut server, store)) = guarded(|_| {}) else {
        return;
    };
    let token = key(&server, &store, Role::Client);
    let kept = key(&server, &store, Role::Client);
    store.revoke(token.id()).unwrap();
    eventually("it is refused", || {
        bearer(server.client.get(server.url("/v1/models")), &token).status() == 401
    });
    // A broken file takes nobody's key away.
    let path = server.data.path().join("keys.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, "rubbish").unwrap();
    let third = store.create(Role::Client, None);
    assert!(third.unwrap_err().to_string().contains("keys.toml"));
    assert_eq!(
        bearer(server.client.get(server.url("/v1/models")), &kept).status(),
        200
    );
    std::fs::write(&path, good).unwrap();
    server.stop();
    server.join().unwrap();
}

#[test]
fn the_last_use_is_written_down_when_the_server_stops() {
    let Some((mut server, store)) = guarded(|_| {}) else {
        return;
    };
    let token = key(&server, &store, Role::Client);
    let records = |store: &KeyStore| store.list().unwrap();
    server.stop();
    let folder = tempfile::tempdir().unwrap();
    eventually("the use is written", || {
        records(&store)[0].last_used_at.is_some()
    });
    std::fs::copy(
        server.data.path().join("keys.toml"),
        folder.path().join("keys.toml"),
    )
    .unwrap();
    server.join().unwrap();
    let kept = records(&KeyStore::open(folder.path()).unwrap());
    assert_eq!(kept[0].id, token.id());
}

#[test]
fn files_of_keys_that_can_not_be_used_end_the_start() {
    let Some(shell) = Shell::new() else { return };
    assert_eq!(shell.run(&["keys", "create", "--role", "client"]).0, 0);
    let [sheet, secret] = ["keys.toml", "keys.secret"].map(|name| shell.data().join(name));
    let start = || {
        let mut serve = shell.command(&["serve", "--listen", "127.0.0.1:0"]);
        let output = serve.env("JAGA_SERVER__AUTH", "required").output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        told
    };
    let good = std::fs::read_to_string(&sheet).unwrap();
    for bad in [
        "rubbish".to_owned(),
        good.replace("role = \"client\"", "role = \"root\""),
        good.replace("hash = \"", "hash = \"x"),
    ] {
        std::fs::write(&sheet, bad).unwrap();
        let told = start();
        assert!(told.contains("keys.toml"), "{told}");
        let (status, _, told) = shell.run(&["keys", "list"]);
        assert!(status == 1 && told.contains("keys.toml"), "{told}");
    }
    std::fs::remove_file(&sheet).unwrap();
    std::fs::create_dir(&sheet).unwrap();
    std::fs::set_permissions(&sheet, Permissions::from_mode(0o700)).unwrap();
    let told = start();
    assert!(
        told.contains("can't read") && told.contains("keys.toml"),
        "{told}"
    );
    std::fs::remove_dir(&sheet).unwrap();
    std::fs::write(&sheet, good).unwrap();
    let told = start();
    assert!(
        told.contains("chmod 600"),
        "written with an ordinary mode: {told}"
    );
    std::fs::set_permissions(&sheet, Permissions::from_mode(0o600)).unwrap();
    std::fs::remove_file(&secret).unwrap();
    let told = start();
    assert!(told.contains("keys.secret"), "{told}");
}

#[test]
fn one_key_comes_only_so_often_and_is_told_when_to_come_again() {
    let Some((server, store)) = guarded(|config| {
        config.limits.key_requests_per_minute = 1;
        config.limits.key_burst = NonZeroU32::new(3).unwrap();
    }) else {
        return;
    };
    let token = key(&server, &store, Role::Client);
    let ask = || bearer(server.client.get(server.url("/v1/models")), &token);
    assert_eq!([ask().status(), ask().status()], [200, 200]);
    let refused = ask();
    let seconds: u32 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let (status, problem) = answer(refused);
    assert_eq!(
        (status, problem["code"].as_str()),
        (429, Some("rate_limited"))
    );
    assert_eq!(problem["limit"], "key_requests_per_minute");
    let other = key(&server, &store, Role::Client);
    assert_eq!(
        bearer(server.client.get(server.url("/v1/models")), &other).status(),
        200
    );
}

#[test]
fn whoever_guesses_is_slowed_down_by_address_and_a_valid_key_is_not() {
    let Some((server, store)) = guarded(|config| {
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.limits.address_requests_per_minute = 1;
        config.limits.address_burst = NonZeroU32::new(2).unwrap();
    }) else {
        return;
    };
    let from = |address: &str| {
        let request = server.client.get(server.url("/v1/models"));
        request.header("x-forwarded-for", address)
    };
    let status = |address: &str| from(address).send().unwrap().status().as_u16();
    assert_eq!([status("203.0.113.5"), status("203.0.113.5")], [401, 401]);
    assert_eq!(
        code(from("203.0.113.5").send().unwrap()),
        (429, "rate_limited".to_owned())
    );
    // Neither what the client writes itself nor another address of its /64 helps it.
    assert_eq!(status("8.8.8.8, 203.0.113.5"), 429);
    assert_eq!(status("198.51.100.7"), 401);
    let six: Vec<u16> = ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
        .map(status)
        .to_vec();
    assert_eq!(six, [401, 401, 429]);
    let token = store.create(Role::Client, None).unwrap();
    eventually("the key opens from there too", || {
        bearer(from("203.0.113.5"), &token).status() == 200
    });
}

#[test]
fn what_a_client_says_of_its_address_is_not_believed() {
    let few = |config: &mut Config| {
        config.limits.address_requests_per_minute = 1;
        config.limits.address_burst = NonZeroU32::new(2).unwrap();
    };
    let ask = |server: &Server, line: String| {
        let request = server.client.get(server.url("/v1/models"));
        let response = request.header("x-forwarded-for", line).send().unwrap();
        response.status().as_u16()
    };
    // Without a trusted proxy the connection's address counts alone.
    let Some((server, _)) = guarded(few) else {
        return;
    };
    let seen = [1, 2, 3].map(|n| ask(&server, format!("203.0.113.{n}")));
    assert_eq!(seen, [401, 401, 429]);
    // With one, what it added itself.
    let Some((server, _)) = guarded(|config| {
        few(config);
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    }) else {
        return;
    };
    let seen = [1, 2, 3].map(|n| ask(&server, format!("203.0.113.{n}, 198.51.100.7")));
    assert_eq!(seen, [401, 401, 429]);
    assert_eq!(ask(&server, "198.51.100.8".to_owned()), 401);
}

#[test]
fn a_limit_that_was_reached_is_over_after_a_while() {
    let Some((server, store)) = guarded(|config| {
        config.limits.key_requests_per_minute = 60;
        config.limits.key_burst = NonZeroU32::MIN;
    }) else {
        return;
    };
    let token = key(&server, &store, Role::Admin);
    let ask = |path: &str| bearer(server.client.get(server.url(path)), &token);
    eventually("the limit is reached", || ask("/v1/models").status() == 429);
    assert_eq!(server.get("/readyz").status(), 200, "others don't notice");
    eventually("the key is let in again", || {
        ask("/v1/models").status() == 200
    });
    let mut text = String::new();
    eventually("and once more", || {
        let answered = ask("/metrics");
        let is_in = answered.status() == 200;
        text = answered.text().unwrap();
        is_in
    });
    let counted = Exposition::read(&text);
    let of = |reason: &str| counted.sum("jaga_refused_total", &[reason]);
    assert!(of("reason=\"key_rate\"") >= 1.0, "{text}");
    assert!(of("reason=\"role\"") < 0.5, "there from the start: {text}");
    assert_eq!(counted.of("jaga_refused_total").count(), 5, "{text}");
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let Some(shell) = Shell::new() else { return };
    let (status, out, err) = shell.run(&["keys", "create", "--role", "reviewer", "--name", "Ann"]);
    assert_eq!(status, 0, "{err}");
    let token = out.trim_end();
    assert!(
        token.starts_with("jaga_") && out.lines().count() == 1,
        "{out}"
    );
    let id = token.get(5..21).unwrap();
    assert!(err.contains(id) && !err.contains(token), "{err}");
    let (_, list, _) = shell.run(&["keys", "list"]);
    let line = list.lines().find(|line| line.contains(id)).unwrap();
    assert!(line.contains("reviewer") && line.contains("Ann"), "{list}");
    assert!(!list.contains(&token[22..]), "{list}");
    assert_eq!(shell.run(&["keys", "revoke", id]).0, 0);
    let (status, _, err) = shell.run(&["keys", "revoke", "0123456789abcdef"]);
    assert_eq!(status, 1);
    assert!(err.contains("there is no key 0123456789abcdef"), "{err}");
    assert_eq!(shell.run(&["keys", "create", "--role", "root"]).0, 2);
    assert_eq!(
        shell
            .run(&["keys", "create", "--role", "admin", "--name", ""])
            .0,
        1
    );
}

#[test]
fn keys_may_be_kept_elsewhere_and_the_doctor_looks_at_them() {
    let Some(shell) = Shell::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let mut command = shell.command(words);
        command
            .env("JAGA_DATA__KEYS_DIR", folder.path())
            .env("JAGA_SERVER__AUTH", "required");
        let output = command.output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), out)
    };
    assert_eq!(run(&["keys", "create", "--role", "client"]).0, Some(0));
    assert!(folder.path().join("keys.toml").exists());
    assert!(!shell.data().join("keys.toml").exists());
    let (code, out) = run(&["doctor"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("ok    keys: 1 valid"), "{out}");
    assert!(out.contains("note  tls: off"), "{out}");
    std::fs::write(folder.path().join("keys.toml"), "rubbish").unwrap();
    let (code, out) = run(&["doctor"]);
    assert_eq!(code, Some(1));
    let told = out.lines().find(|line| line.starts_with("FAIL  keys: "));
    assert!(told.is_some_and(|line| line.contains("keys.toml")), "{out}");
}

#[test]
fn a_server_that_others_reach_asks_for_keys() {
    let Some(shell) = Shell::new() else { return };
    let (status, _, err) = shell.run(&["serve", "--listen", "0.0.0.0:0", "--no-auth"]);
    assert_eq!(status, 2);
    assert!(
        err.contains("server.auth") && err.contains("0.0.0.0:0"),
        "{err}"
    );
    let Some(server) = Process::start(|command| {
        command
            .arg("--no-auth")
            .env("JAGA_SERVER__AUTH", "required");
    }) else {
        return;
    };
    let models = reqwest::blocking::get(server.url("/v1/models")).unwrap();
    let body: Value = models.json().unwrap();
    assert_eq!(body["models"][0]["name"], "tiny");
}
