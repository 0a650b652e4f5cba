"""Scale space: what happens to the structure of a landscape as the exploration noise grows.

Critical points and where they move, jump, die or are born; what it costs to act on a smoothed optimum; basins of
attraction; roughness and chaos; the spectrum, and how much of Q can be had back.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heatpg.scalespace.critical import CriticalPoints as CriticalPoints
    from heatpg.scalespace.critical import critical_points as critical_points
    from heatpg.scalespace.inversion import Amplification as Amplification
    from heatpg.scalespace.inversion import Backward as Backward
    from heatpg.scalespace.inversion import backward as backward
    from heatpg.scalespace.inversion import noise_amplification as noise_amplification
    from heatpg.scalespace.lyapunov import ChaosSummary as ChaosSummary
    from heatpg.scalespace.lyapunov import HolderPrediction as HolderPrediction
    from heatpg.scalespace.lyapunov import LyapunovEstimate as LyapunovEstimate
    from heatpg.scalespace.lyapunov import ScaleWindow as ScaleWindow
    from heatpg.scalespace.lyapunov import chaos as chaos
    from heatpg.scalespace.lyapunov import lyapunov_exponent as lyapunov_exponent
    from heatpg.scalespace.lyapunov import lyapunov_spectrum as lyapunov_spectrum
    from heatpg.scalespace.lyapunov import predicted_holder as predicted_holder
    from heatpg.scalespace.lyapunov import scale_window as scale_window
    from heatpg.scalespace.pricing import Limit as Limit
    from heatpg.scalespace.pricing import PriceCurve as PriceCurve
    from heatpg.scalespace.pricing import Shape as Shape
    from heatpg.scalespace.pricing import optimum_shape as optimum_shape
    from heatpg.scalespace.pricing import price as price
    from heatpg.scalespace.pricing import sigma_of_survival as sigma_of_survival
    from heatpg.scalespace.pricing import single_maximum as single_maximum
    from heatpg.scalespace.pricing import sparing_covariance as sparing_covariance
    from heatpg.scalespace.pricing import sparing_sigmas as sparing_sigmas
    from heatpg.scalespace.pricing import survival as survival
    from heatpg.scalespace.roughness import Roughness as Roughness
    from heatpg.scalespace.roughness import Scaling as Scaling
    from heatpg.scalespace.roughness import StructureFunction as StructureFunction
    from heatpg.scalespace.roughness import holder_exponent as holder_exponent
    from heatpg.scalespace.roughness import structure_function as structure_function
    from heatpg.scalespace.spectrum import BandDecay as BandDecay
    from heatpg.scalespace.spectrum import HalfAmplitude as HalfAmplitude
    from heatpg.scalespace.spectrum import Spectrum as Spectrum
    from heatpg.scalespace.spectrum import UncertaintyProduct as UncertaintyProduct
    from heatpg.scalespace.spectrum import band_decay as band_decay
    from heatpg.scalespace.spectrum import half_amplitude as half_amplitude
    from heatpg.scalespace.spectrum import power_spectrum as power_spectrum
    from heatpg.scalespace.spectrum import recoverable_band as recoverable_band
    from heatpg.scalespace.spectrum import uncertainty_product as uncertainty_product
    from heatpg.scalespace.tracks import Event as Event
    from heatpg.scalespace.tracks import ScaleSpace as ScaleSpace
    from heatpg.scalespace.tracks import Track as Track
    from heatpg.scalespace.tracks import track as track
    from heatpg.scalespace.watershed import Basins as Basins
    from heatpg.scalespace.watershed import Earned as Earned
    from heatpg.scalespace.watershed import Overlap as Overlap
    from heatpg.scalespace.watershed import Partition as Partition
    from heatpg.scalespace.watershed import ascent_labels as ascent_labels
    from heatpg.scalespace.watershed import basins as basins

_HOME = {
    "Amplification": "inversion",
    "Backward": "inversion",
    "BandDecay": "spectrum",
    "Basins": "watershed",
    "ChaosSummary": "lyapunov",
    "CriticalPoints": "critical",
    "Earned": "watershed",
    "Event": "tracks",
    "HalfAmplitude": "spectrum",
    "HolderPrediction": "lyapunov",
    "Limit": "pricing",
    "LyapunovEstimate": "lyapunov",
    "Overlap": "watershed",
    "Partition": "watershed",
    "PriceCurve": "pricing",
    "Roughness": "roughness",
    "ScaleSpace": "tracks",
    "ScaleWindow": "lyapunov",
    "Scaling": "roughness",
    "Shape": "pricing",
    "Spectrum": "spectrum",
    "StructureFunction": "roughness",
    "Track": "tracks",
    "UncertaintyProduct": "spectrum",
    "ascent_labels": "watershed",
    "backward": "inversion",
    "band_decay": "spectrum",
    "basins": "watershed",
    "chaos": "lyapunov",
    "critical_points": "critical",
    "half_amplitude": "spectrum",
    "holder_exponent": "roughness",
    "lyapunov_exponent": "lyapunov",
    "lyapunov_spectrum": "lyapunov",
    "noise_amplification": "inversion",
    "optimum_shape": "pricing",
    "power_spectrum": "spectrum",
    "predicted_holder": "lyapunov",
    "price": "pricing",
    "recoverable_band": "spectrum",
    "scale_window": "lyapunov",
    "sigma_of_survival": "pricing",
    "single_maximum": "pricing",
    "sparing_covariance": "pricing",
    "sparing_sigmas": "pricing",
    "structure_function": "roughness",
    "survival": "pricing",
    "track": "tracks",
    "uncertainty_product": "spectrum",
}

__all__ = [
    "Amplification",
    "Backward",
    "BandDecay",
    "Basins",
    "ChaosSummary",
    "CriticalPoints",
    "Earned",
    "Event",
    "HalfAmplitude",
    "HolderPrediction",
    "Limit",
    "LyapunovEstimate",
    "Overlap",
    "Partition",
    "PriceCurve",
    "Roughness",
    "ScaleSpace",
    "ScaleWindow",
    "Scaling",
    "Shape",
    "Spectrum",
    "StructureFunction",
    "Track",
    "UncertaintyProduct",
    "ascent_labels",
    "backward",
    "band_decay",
    "basins",
    "chaos",
    "critical_points",
    "half_amplitude",
    "holder_exponent",
    "lyapunov_exponent",
    "lyapunov_spectrum",
    "noise_amplification",
    "optimum_shape",
    "power_spectrum",
    "predicted_holder",
    "price",
    "recoverable_band",
    "scale_window",
    "sigma_of_survival",
    "single_maximum",
    "sparing_covariance",
    "sparing_sigmas",
    "structure_function",
    "survival",
    "track",
    "uncertainty_product",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"heatpg.scalespace.{_HOME[name]}"), name)
    raise AttributeError(f"module 'heatpg.scalespace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
