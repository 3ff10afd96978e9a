"""Which server addresses the hub will call. Pure: names are not looked up here.

Private and loopback addresses are what people have; addresses where cloud machines keep their
credentials are never a ComfyUI server.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from shortlist.comfy.faults import BadAddress

_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data"})
_METADATA_NETWORKS = (ip_network("fd00:ec2::/32"), ip_network("100.100.100.200/32"))
_NAT64 = ip_network("64:ff9b::/96")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*", re.IGNORECASE)


def server_url(address: str) -> str:
    """The address without a trailing slash, `http` or `https`; `BadAddress` says what is wrong."""
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadAddress(f"The server address {address[:200]!r} is malformed.") from error
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise BadAddress(
            "A server address starts with http:// or https://, like http://127.0.0.1:8188."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise BadAddress("A server address holds no login, no ? and no #.")
    _check_host(host.rstrip(".").lower())
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def is_forbidden(address: str) -> bool:
    """True for a literal IP address that no ComfyUI server has."""
    ip = _unwrapped(ip_address(address.partition("%")[0]))
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return True
    return any(ip in network for network in _METADATA_NETWORKS)


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _check_host(host: str) -> None:
    if host in _METADATA_NAMES:
        raise BadAddress(f"{host} is a cloud machine's own service, not a ComfyUI server.")
    try:
        forbidden = is_forbidden(host)
    except ValueError:
        # 2852039166, 0xA9FEA9FE and 0251.0376.0251.0376 all are 169.254.169.254 to a resolver.
        if _NUMERIC.fullmatch(host):
            raise BadAddress("Write the server's IP address as four plain numbers.") from None
        return
    if forbidden:
        raise BadAddress(f"{host} is not an address a ComfyUI server can have.")
