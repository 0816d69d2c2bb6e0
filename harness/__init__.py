"""The delivery contract under faults: plain commands, bounded in time, each ending in one line of
JSON. They start servers of their own and talk to loopback only."""
