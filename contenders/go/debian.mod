// go.mod for a machine without the module proxy: lib/pq from Debian's golang-github-lib-pq-dev.
//	go build -modfile=debian.mod
module bakeoff/contenders/go

go 1.25

require github.com/lib/pq v1.10.7

replace github.com/lib/pq => /usr/share/gocode/src/github.com/lib/pq
