"""Photos to Gaussians in a process of their own."""

from sharp_xr.prediction.messages import Prediction
from sharp_xr.prediction.worker import BusyError, Limits, OnProgress, PredictionWorker

__all__ = ["BusyError", "Limits", "OnProgress", "Prediction", "PredictionWorker"]
