//! Registration of execution providers: whether the library has one, and what it says.

use std::path::Path;

use ort::ep::ExecutionProviderDispatch;
use ort::ep::{self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider};
use ort::session::builder::SessionBuilder;

use super::super::error::InferenceError;
use super::super::provider::Provider;
use super::super::providers::Target;
use super::{Runtime, SessionConfig};

/// Key of ONNX Runtime's that forbids parts on the CPU; it has no call of its own.
const NO_FALLBACK: &str = "session.disable_cpu_ep_fallback";

impl Runtime {
    /// The providers that the library was built with. Whether their own libraries, a driver and a
    /// device are there shows when a session is made.
    pub fn offers(&self) -> Vec<Provider> {
        let offered = |one: &Provider| is_offered(*one).unwrap_or(false);
        Provider::ALL.into_iter().filter(offered).collect()
    }
}

fn is_offered(provider: Provider) -> ort::Result<bool> {
    match provider {
        Provider::Cpu => ep::CPU::is_available(),
        Provider::Cuda => ep::CUDA::is_available(),
        Provider::TensorRt => ep::TensorRT::is_available(),
        Provider::OpenVino => ep::OpenVINO::is_available(),
        Provider::MiGraphX => ep::MIGraphX::is_available(),
        Provider::CoreMl => ep::CoreML::is_available(),
        Provider::DirectMl => ep::DirectML::is_available(),
        Provider::Xnnpack => ep::XNNPACK::is_available(),
    }
}

/// `builder` with the target's provider, or why it can't be used. `folder` is where the provider
/// may keep what it compiles.
pub(super) fn register(
    builder: SessionBuilder,
    runtime: &Runtime,
    config: SessionConfig<'_>,
    folder: Option<&Path>,
) -> Result<SessionBuilder, InferenceError> {
    let provider = config.target.provider;
    let unusable = |reason: String| InferenceError::ProviderUnusable { provider, reason };
    if !runtime.offers().contains(&provider) {
        return Err(unusable(absent(runtime)));
    }
    let whole = config.target.require_full && provider != Provider::Cpu;
    let builder = builder
        .with_execution_providers([
            // Whatever the provider, the processor's memory is what an arena is of.
            ep::CPU::default()
                .with_arena_allocator(config.target.tuning.arena)
                .build(),
            dispatch(config, folder).error_on_failure(),
        ])
        .map_err(|e| unusable(e.message().to_owned()))?;
    if !whole {
        return Ok(builder);
    }
    builder
        .with_config_entry(NO_FALLBACK, "1")
        .map_err(|e| unusable(e.message().to_owned()))
}

fn absent(runtime: &Runtime) -> String {
    let offered: Vec<&str> = runtime
        .offers()
        .into_iter()
        .map(Provider::setting)
        .collect();
    format!(
        "the library {} (ONNX Runtime {}) is built without it; it has: {}",
        runtime.library().display(),
        runtime.version(),
        offered.join(", ")
    )
}

/// The fault behind a failed load: the target's, or else the reason as it was.
pub(super) fn refusal(
    model: &str,
    target: &Target,
    reason: &str,
) -> Result<InferenceError, String> {
    if !(target.require_full && reason.contains("fallback to CPU EP has been explicitly disabled"))
    {
        return Err(reason.to_owned());
    }
    Ok(InferenceError::NotWhole {
        model: model.to_owned(),
        provider: target.provider,
        detail: "parts of it would run on the CPU, and require_full is set".to_owned(),
    })
}

/// Our defaults first: the configuration's options replace them.
fn dispatch(config: SessionConfig<'_>, folder: Option<&Path>) -> ExecutionProviderDispatch {
    let target = config.target;
    let caching = folder.into_iter().flat_map(|folder| {
        let own = target.provider.cache_options().iter();
        own.map(move |(key, value)| {
            let value = value.map_or_else(|| folder.display().to_string(), str::to_owned);
            ((*key).to_owned(), value)
        })
    });
    let options: Vec<(String, String)> = caching.chain(target.options.iter().cloned()).collect();
    let options = options.as_slice();
    let threads = config.intra_threads.to_string();
    match config.target.provider {
        Provider::Cpu => ep::CPU::default()
            .with_arena_allocator(target.tuning.arena)
            .build(),
        // TF32 drops 13 bits of a number's 23, and moves scores.
        Provider::Cuda => with(ep::CUDA::default(), &[("use_tf32", "0")], options).build(),
        Provider::TensorRt => with(ep::TensorRT::default(), &[], options).build(),
        Provider::OpenVino => {
            // Else bfloat16 on processors that have it, and scores that depend on the processor.
            let own = [
                ("device_type", "CPU"),
                ("precision", "FP32"),
                ("num_of_threads", &threads),
                ("num_streams", "1"),
            ];
            with(ep::OpenVINO::default(), &own, options).build()
        }
        Provider::MiGraphX => ep::MIGraphX::default()
            .with_device_id(device(options))
            .build(),
        Provider::CoreMl => with(ep::CoreML::default(), &[], options).build(),
        Provider::DirectMl => ep::DirectML::default()
            .with_device_id(device(options))
            .build(),
        Provider::Xnnpack => {
            let own = [("intra_op_num_threads", threads.as_str())];
            with(ep::XNNPACK::default(), &own, options).build()
        }
    }
}

fn with<E: ArbitrarilyConfigurableExecutionProvider>(
    provider: E,
    own: &[(&str, &str)],
    options: &[(String, String)],
) -> E {
    let provider = own.iter().fold(provider, |p, (key, value)| {
        p.with_arbitrary_config(key, value)
    });
    options.iter().fold(provider, |p, (key, value)| {
        p.with_arbitrary_config(key, value)
    })
}

/// The first device where none is named.
fn device(options: &[(String, String)]) -> i32 {
    let named = options.iter().find(|(key, _)| key == "device_id");
    named
        .and_then(|(_, id)| id.parse().ok())
        .unwrap_or_default()
}
