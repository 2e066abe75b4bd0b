//! `GET /v1/models`, `/readyz`, `/healthz`.

use serde_json::Value;

use crate::server::Server;

#[test]
fn says_what_is_loaded_and_where_it_runs() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let body: Value = server.get("/v1/models").json().unwrap();
    let [model] = body["models"].as_array().unwrap().as_slice() else {
        panic!("one model: {body}")
    };
    assert_eq!(model["name"], "tiny");
    assert_eq!(model["status"], "experimental");
    assert_eq!(model["question"], "ai_generated");
    assert_eq!(model["license"], "MIT");
    assert_eq!(model["provider"], "CPUExecutionProvider");
    assert_eq!(model["default"], true);
    assert_eq!(model["sha256"].as_str().unwrap().len(), 64);
    let ready: Value = server.get("/readyz").json().unwrap();
    assert_eq!(ready["models"][0]["provider"], "CPUExecutionProvider");
    assert_eq!(ready["requests_inside"], 0);
    assert_eq!(ready["sandbox"]["complete"], true);
    assert_eq!(ready["sandbox"]["layers"]["seccomp"], true);
    assert_eq!(server.get("/healthz").status(), 200);
}
