"""Devices at the wire: scales, printers, barriers, cameras. Knows nothing of the business."""
