package routing

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"leadloop/store"
	"leadloop/store/storetest"
)

// nameServer answers every name with its address (RFC 1035, section 4), which may
// change.
type nameServer struct {
	net.PacketConn
	mu sync.Mutex
	to netip.Addr
}

func newNameServer(t *testing.T) *nameServer {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nameServer{PacketConn: conn}
	var done sync.WaitGroup
	done.Go(n.serve)
	t.Cleanup(func() { conn.Close(); done.Wait() })
	return n
}

func (n *nameServer) serve() {
	buffer := make([]byte, 1500)
	for {
		size, from, err := n.ReadFrom(buffer)
		if err != nil {
			return
		}
		question := buffer[12:size]
		end := 0
		for question[end] != 0 {
			end += int(question[end]) + 1
		}
		question = question[:end+5] // the name, its type and class
		n.mu.Lock()
		address := n.to.AsSlice()
		n.mu.Unlock()
		kind := map[int]uint16{4: 1, 16: 28}[len(address)]
		answer := append([]byte{}, buffer[:2]...)
		if binary.BigEndian.Uint16(question[end+1:]) == kind {
			answer = append(answer, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0)
			answer = append(append(answer, question...), 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(address)))
			answer = append(answer, address...)
		} else {
			answer = append(append(answer, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0), question...)
		}
		_, _ = n.WriteTo(answer, from)
	}
}

func (n *nameServer) point(to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.to = netip.MustParseAddr(to)
}

// A name that comes to lead to a forbidden network, however the address is
// written, is refused when it is dialled, with the reason; when it leads back,
// the routing is sent.
func TestNameLeadsAstray(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		names, clock := newNameServer(t), newClock()
		f := newFixture(t, db, WithClock(clock.Now), WithJitter(func() float64 { return 0.5 }))
		f.client.dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", names.LocalAddr().String())
		}}
		crm := newReceiver(t, nil)
		names.point("127.0.0.1")
		f.activated(strings.Replace(crm.URL, "127.0.0.1", "crm.example.com", 1), nil)
		f.run()
		f.becomes(f.lead(nil).ID, Delivered)
		f.client.close() // a connection that is there goes to where the name led
		names.point("169.254.169.254")
		lead := f.lead(nil)
		for i, c := range []struct{ address, shown string }{
			{"169.254.169.254", "169.254.169.254"},
			{"10.0.0.1", "10.0.0.1"},
			{"::ffff:192.168.1.1", "192.168.1.1"},
			{"64:ff9b::a00:1", "64:ff9b::a00:1"},
			{"fd00::1", "fd00::1"},
		} {
			names.point(c.address)
			clock.forward(schedule[max(0, i-1)] + time.Second)
			want := c.shown + " is not in an allowed network; see --allow-networks"
			f.eventually(want, func() bool {
				r := f.routing(lead.ID)
				return r.State == Pending && len(r.Attempts) == i+1 && r.Error != nil && *r.Error == want && r.Attempts[i].StatusCode == nil
			})
		}
		names.point("127.0.0.1")
		clock.forward(schedule[4] + time.Second)
		f.becomes(lead.ID, Delivered)
		if got := crm.leads(); len(got) != 2 {
			t.Errorf("%d were received", len(got))
		}
	})
}
