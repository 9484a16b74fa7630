"""Every arrow between two services passes here: a Toxiproxy server of our own, and the client that drives any.

The server exists because a drill needs one where no Go binary can be installed. It speaks the HTTP API of Shopify's
Toxiproxy 2.12.0, so that every client of that program works unchanged.

loop        one epoll loop, its timers, and the hand-over from other threads
toxics      the faults: data plus one method each
stage       one toxic at work on one direction of one connection
connection  two sockets and the two pipes between them
proxy       a listener, its connections, its chain of toxics
addresses   host:port as Go reads it
gojson      JSON as Go reads and writes it, error texts included
api         the routes, on the proxies
control     HTTP around the routes
server      all of it as a process; `binary` says which program to start instead where the real one is there
client      `LinkControl`, the only module that wraps toxiproxy-python
"""
