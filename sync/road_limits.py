"""How heavy a truck may be on the road: the plant holds loads against it, head office plans a notice's money by it.

GB 1589-2016 and 超限运输车辆行驶公路管理规定 Art 3 (order 2016/62): gross mass in kg by number of axles.
"""

RIGID_KG = {2: 18_000, 3: 25_000, 4: 31_000}
"""单车."""
ARTICULATED_KG = {3: 27_000, 4: 36_000, 5: 43_000, 6: 49_000}
"""列车: tractor with trailer."""


def road_limit_kg(axles: int, articulated: bool) -> int:
    """Legal gross mass in kg; more axles than the table has count as its last row, fewer as its first."""
    table = ARTICULATED_KG if articulated else RIGID_KG
    return table[min(max(axles, min(table)), max(table))]
