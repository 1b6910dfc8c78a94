"""The reports that are not re-created, each with the reason."""

COMPLEX = "complex numbers, which the exact oracle does not have yet"
NOT_FINITE = "at an input or a value that is not finite, where there is no derivative"
ELSEWHERE = "in the mechanism of another framework or compiler, not in a rule"

LEFT_OUT = {
    "GB014": "depends on whether a kernel flushes subnormal differences; otherwise it is infinite there",
    "GB016": "in a CUDA kernel whose source the report does not show",
    "GB019": COMPLEX,
    "GB021": COMPLEX,
    "GB033": NOT_FINITE,
    "GB051": "repeated indices, for which the function's own value is documented as undefined",
    "GB058": "in a kernel's indexing that the report does not show",
    "GB066": ELSEWHERE,
    "GB068": NOT_FINITE,
    "GB069": "needs 4.3e9 elements",
    "GB070": COMPLEX,
    "GB072": "forward over forward, which torch's own API does not nest here",
    "GB074": "forward over forward, which torch's own API does not nest here",
    "GB080": ELSEWHERE,
    "GB095": "the machine flushes the subnormal input to zero, whatever the rule",
    "GB110": NOT_FINITE,
    "GB112": "equal singular values have no derivative one by one, which is all the oracle knows of them",
    "GB117": COMPLEX,
    "GB118": NOT_FINITE,
    "GB120": NOT_FINITE,
    "GB123": "the derivative is infinite there, and the function jumps to -inf beside it",
    "GB130": ELSEWHERE,
    "GB134": COMPLEX,
    "GB151": ELSEWHERE,
    "GB154": ELSEWHERE,
    "GB169": ELSEWHERE,
    "GB184": COMPLEX,
}
