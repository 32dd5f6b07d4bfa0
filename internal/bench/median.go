package bench

import "slices"

// median takes each figure's median over several runs.
func median(list []Result) Result {
	out := list[0]
	pick := func(get func(*Result) float64) float64 {
		values := make([]float64, len(list))
		for i := range list {
			values[i] = get(&list[i])
		}
		slices.Sort(values)
		return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
	}
	out.FsyncMS = pick(func(r *Result) float64 { return r.FsyncMS })
	out.RoundTripMS = pick(func(r *Result) float64 { return r.RoundTripMS })
	out.RawAsync = pick(func(r *Result) float64 { return r.RawAsync })
	out.RawDurable = pick(func(r *Result) float64 { return r.RawDurable })
	out.Sealed = pick(func(r *Result) float64 { return r.Sealed })
	out.SealedFollow = pick(func(r *Result) float64 { return r.SealedFollow })
	out.Drain = pick(func(r *Result) float64 { return r.Drain })
	out.Verify = pick(func(r *Result) float64 { return r.Verify })
	out.BytesPerEvent = pick(func(r *Result) float64 { return r.BytesPerEvent })
	latency := func(get func(*Result) Latency) Latency {
		return Latency{
			P50: pick(func(r *Result) float64 { return get(r).P50 }), P99: pick(func(r *Result) float64 { return get(r).P99 }),
			Max: pick(func(r *Result) float64 { return get(r).Max }),
		}
	}
	out.ProbeMS = latency(func(r *Result) Latency { return r.ProbeMS })
	out.ProofMS = latency(func(r *Result) Latency { return r.ProofMS })
	out.QueryMS = latency(func(r *Result) Latency { return r.QueryMS })
	out.Ingest, out.IngestMS = map[string]float64{}, map[string]Latency{}
	for n := range list[0].Ingest {
		out.Ingest[n] = pick(func(r *Result) float64 { return r.Ingest[n] })
		out.IngestMS[n] = latency(func(r *Result) Latency { return r.IngestMS[n] })
	}
	out.HTTP = map[string]float64{}
	for name := range list[0].HTTP {
		out.HTTP[name] = pick(func(r *Result) float64 { return r.HTTP[name] })
	}
	out.StoredMS, out.SealedMS = map[string]Latency{}, map[string]Latency{}
	for n := range list[0].StoredMS {
		out.StoredMS[n] = latency(func(r *Result) Latency { return r.StoredMS[n] })
		out.SealedMS[n] = latency(func(r *Result) Latency { return r.SealedMS[n] })
	}
	return out
}
