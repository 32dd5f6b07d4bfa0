package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealstream/sealstream/internal/disk"
)

// WatchRoom shows the room on each disk that is watched.
func (r *Registry) WatchRoom(w *disk.Watcher) {
	if w == nil {
		return
	}
	r.gauge(
		"disk_refusing",
		"1 while a disk is full or has less than its reserve; up refuses new events then.",
		func() float64 {
			if w.Full() != nil {
				return 1
			}
			return 0
		},
	)
	by := []string{"folder"}
	r.register.MustRegister(&roomCollector{w,
		prometheus.NewDesc("sealstream_disk_free_bytes", "Bytes free on the disk of a folder that is written to.", by, nil),
		prometheus.NewDesc("sealstream_disk_free_inodes", "Inodes free on the disk of a folder that is written to.", by, nil),
	})
}

type roomCollector struct {
	w             *disk.Watcher
	bytes, inodes *prometheus.Desc
}

func (r *roomCollector) Describe(c chan<- *prometheus.Desc) { c <- r.bytes; c <- r.inodes }

func (r *roomCollector) Collect(c chan<- prometheus.Metric) {
	for _, f := range r.w.Folders() {
		s, err := disk.Look(f.Path)
		if err != nil {
			continue
		}
		c <- prometheus.MustNewConstMetric(r.bytes, prometheus.GaugeValue, float64(s.Free), f.Path)
		if s.AllInodes > 0 {
			c <- prometheus.MustNewConstMetric(r.inodes, prometheus.GaugeValue, float64(s.Inodes), f.Path)
		}
	}
}
