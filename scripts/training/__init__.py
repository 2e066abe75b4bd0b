"""How the heads of the genai-clip bundles are trained and measured."""
