"""An interpreter of classic BPF, to run a socket filter's program without a kernel."""

from __future__ import annotations

from exporter.wire.bpf import Program


def run(program: Program, frame: bytes) -> int:
    """Bytes of the frame that the program lets through; 0: it drops the frame."""
    accumulator = index = position = 0
    memory: dict[int, int] = {}
    while True:
        code, jt, jf, k = program[position]
        position += 1
        match code:
            case 0x28 | 0x40 | 0x50:
                size = {0x28: 2, 0x40: 4, 0x50: 1}[code]
                start = k + (index if code != 0x28 else 0)
                if start + size > len(frame):
                    return 0
                accumulator = int.from_bytes(frame[start : start + size], "big")
            case 0x01:
                index = k
            case 0x61:
                index = memory[k]
            case 0x02:
                memory[k] = accumulator
            case 0x54:
                accumulator &= k
            case 0x05:
                position += k
            case 0x15:
                position += jt if accumulator == k else jf
            case 0x1D:
                position += jt if accumulator == index else jf
            case 0x25:
                position += jt if accumulator > k else jf
            case 0x35:
                position += jt if accumulator >= k else jf
            case 0x06:
                return k
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")
