module bakeoff/contenders/go

go 1.25

require github.com/lib/pq v1.10.7
