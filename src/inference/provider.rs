//! The execution providers of ONNX Runtime that a configuration can name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An execution provider of ONNX Runtime: what computes a graph's nodes. Reports show ONNX
/// Runtime's name, the configuration and bundles a short one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Provider {
    /// ONNX Runtime's own kernels on the processor.
    #[serde(rename(serialize = "CPUExecutionProvider", deserialize = "cpu"))]
    Cpu,
    /// NVIDIA's CUDA and cuDNN.
    #[serde(rename(serialize = "CUDAExecutionProvider", deserialize = "cuda"))]
    Cuda,
    /// `TensorRT` of NVIDIA.
    #[serde(rename(serialize = "TensorrtExecutionProvider", deserialize = "tensorrt"))]
    TensorRt,
    /// `OpenVINO` of Intel.
    #[serde(rename(serialize = "OpenVINOExecutionProvider", deserialize = "openvino"))]
    OpenVino,
    /// `MIGraphX` of AMD.
    #[serde(rename(serialize = "MIGraphXExecutionProvider", deserialize = "migraphx"))]
    MiGraphX,
    /// Apple's Core ML.
    #[serde(rename(serialize = "CoreMLExecutionProvider", deserialize = "coreml"))]
    CoreMl,
    /// `DirectML` of Microsoft.
    #[serde(rename(serialize = "DmlExecutionProvider", deserialize = "directml"))]
    DirectMl,
    /// The XNNPACK kernels on the processor.
    #[serde(rename(serialize = "XnnpackExecutionProvider", deserialize = "xnnpack"))]
    Xnnpack,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Cpu,
        Self::Cuda,
        Self::TensorRt,
        Self::OpenVino,
        Self::MiGraphX,
        Self::CoreMl,
        Self::DirectMl,
        Self::Xnnpack,
    ];

    /// The one that the configuration calls `name`.
    pub fn from_setting(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.setting() == name)
    }

    /// The one that ONNX Runtime calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The name in the configuration.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
            Self::MiGraphX => "migraphx",
            Self::CoreMl => "coreml",
            Self::DirectMl => "directml",
            Self::Xnnpack => "xnnpack",
        }
    }

    /// ONNX Runtime's own name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda => "CUDAExecutionProvider",
            Self::TensorRt => "TensorrtExecutionProvider",
            Self::OpenVino => "OpenVINOExecutionProvider",
            Self::MiGraphX => "MIGraphXExecutionProvider",
            Self::CoreMl => "CoreMLExecutionProvider",
            Self::DirectMl => "DmlExecutionProvider",
            Self::Xnnpack => "XnnpackExecutionProvider",
        }
    }

    /// The options that the configuration may set; their values are ONNX Runtime's.
    pub fn option_keys(self) -> &'static [&'static str] {
        match self {
            Self::Cpu => &[],
            Self::Cuda => &[
                "device_id",
                "gpu_mem_limit",
                "arena_extend_strategy",
                "cudnn_conv_algo_search",
                "cudnn_conv_use_max_workspace",
                "use_tf32",
                "prefer_nhwc",
            ],
            Self::TensorRt => &[
                "device_id",
                "trt_max_workspace_size",
                "trt_min_subgraph_size",
                "trt_fp16_enable",
                "trt_engine_cache_enable",
                "trt_engine_cache_path",
                "trt_timing_cache_enable",
                "trt_timing_cache_path",
                "trt_builder_optimization_level",
            ],
            Self::OpenVino => &[
                "device_type",
                "precision",
                "num_of_threads",
                "num_streams",
                "cache_dir",
                "load_config",
                "model_priority",
                "disable_dynamic_shapes",
                "enable_opencl_throttling",
            ],
            Self::MiGraphX | Self::DirectMl => &["device_id"],
            Self::CoreMl => &[
                "ModelFormat",
                "MLComputeUnits",
                "RequireStaticInputShapes",
                "EnableOnSubgraphs",
                "SpecializationStrategy",
                "AllowLowPrecisionAccumulationOnGPU",
                "ModelCacheDirectory",
            ],
            Self::Xnnpack => &["intra_op_num_threads"],
        }
    }

    /// Whether a graph that ONNX Runtime rewrote for it can be written down: not so where it compiles
    /// parts of the graph.
    pub(super) fn keeps_graphs(self) -> bool {
        match self {
            Self::Cpu | Self::Cuda => true,
            Self::TensorRt
            | Self::OpenVino
            | Self::MiGraphX
            | Self::CoreMl
            | Self::DirectMl
            | Self::Xnnpack => false,
        }
    }

    /// The options with which it keeps by itself what it compiles: a folder where there is no value.
    pub(super) fn cache_options(self) -> &'static [(&'static str, Option<&'static str>)] {
        match self {
            Self::TensorRt => &[
                ("trt_engine_cache_enable", Some("1")),
                ("trt_engine_cache_path", None),
            ],
            Self::OpenVino => &[("cache_dir", None)],
            Self::CoreMl => &[("ModelCacheDirectory", None)],
            Self::Cpu | Self::Cuda | Self::MiGraphX | Self::DirectMl | Self::Xnnpack => &[],
        }
    }

    /// What to do where it can't be used.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Cpu => "`./scripts/jaga` sets up the pinned library",
            Self::Cuda => {
                "`./scripts/jaga --runtime gpu` sets up its library, CUDA and cuDNN; the GPU and its \
                 driver (libcuda.so.1) are for you to bring"
            }
            Self::TensorRt => {
                "it needs the library of onnxruntime-gpu, set as [runtime] library, TensorRT on the \
                 loader's path, an NVIDIA GPU and its driver"
            }
            Self::OpenVino => {
                "`./scripts/jaga --runtime openvino` sets up a library with OpenVINO; all its files \
                 have to lie in one folder"
            }
            Self::MiGraphX => {
                "it needs an ONNX Runtime built for ROCm, set as [runtime] library, and an AMD GPU"
            }
            Self::CoreMl => "it needs macOS and an ONNX Runtime with Core ML",
            Self::DirectMl => "it needs Windows and an ONNX Runtime with DirectML",
            Self::Xnnpack => {
                "it needs an ONNX Runtime built with XNNPACK, set as [runtime] library"
            }
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for provider in Provider::ALL {
            assert_eq!(Provider::from_setting(provider.setting()), Some(provider));
            assert_eq!(Provider::from_name(provider.name()), Some(provider));
            assert_eq!(serde_json::json!(provider), provider.name());
            let read: Provider = serde_json::from_value(provider.setting().into()).unwrap();
            assert_eq!(read, provider);
        }
        assert_eq!(Provider::from_setting("CPU"), None);
    }
}
